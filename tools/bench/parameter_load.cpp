#include "tools/bench/parameter_load.hpp"

#include "actors/mesh/receive.hpp"
#include "actors/node/spawn.hpp"
#include "actors/worker/parameter_client.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <optional>
#include <random>

namespace gradmesh::tools::bench {
namespace {

/// Key lists that take turns where each request is to have another one: more than a shard
/// remembers.
constexpr std::size_t fresh_lists = 64;
/// What keys are drawn from.
constexpr std::uint64_t key_universe = 1'000'000;
constexpr std::chrono::milliseconds tick_interval{10};

using clock = std::chrono::steady_clock;

/// What requests with one key list are made of. Used for all requests with it at once: nobody
/// changes it.
struct request_content {
  std::vector<std::shared_ptr<const parameters::slice>> slices; // by shard
  std::vector<std::vector<worker::parameter_client::part_body>> bodies;
};

class load_state {
public:
  load_actor::stateful_pointer<load_state> self = nullptr;
  node::context_ptr context;
  mesh::service_id service;

  result<void> prepare(const prepare_load& request);
  result<void> on_ready();
  result<void> run(const run_load& request);
  template <class Event>
  result<void> on(Event event);
  void on_tick();
  void fail(const error& why);
  bool is_preparing() const { return prepared_ != nullptr; }

private:
  struct job {
    gradmesh::job::job_plan plan;
    mesh::draft<schema::JobPlan> plan_message;
    std::uint32_t rank = 0;
    std::optional<parameters::slicer> slicer;
    std::optional<worker::parameter_client> client;
    std::vector<float> dense; // where pulled values go, as in training
    std::vector<float> rows;
    std::uint64_t pushes = 0;
    std::size_t shards_missing = 0;
  };
  /// A request without all of its answers. Callbacks name it by its number, which costs no memory
  /// of their own.
  struct open_request {
    clock::time_point began;
    std::size_t missing = 0;
  };
  struct measurement {
    load_order order;
    clock::time_point began;
    clock::time_point ends;
    std::vector<open_request> open;  // a window of them
    std::vector<std::uint32_t> free; // of `open`
    std::size_t in_flight() const { return open.size() - free.size(); }
    std::uint64_t requests = 0;
    std::vector<float> latencies_us;
    std::vector<float> control_us;
    std::vector<request_content> contents;
    std::size_t next_content = 0;
  };

  request_content make_content(const load_order& order, std::uint64_t seed) const;
  void start_requests(clock::time_point now);
  void start_one(clock::time_point now);
  worker::parameter_client::push_origin origin_of(std::uint64_t sequence) const;
  void part_ended(std::uint32_t request);
  void finish();

  void ping();

  std::unique_ptr<job> job_;
  std::optional<clock::time_point> pinged_; // and not answered
  std::optional<measurement> now_;
  clock::time_point event_at_; // of the event that is handled; looking at the clock costs time
  std::shared_ptr<std::promise<result<void>>> prepared_;
  std::shared_ptr<std::promise<result<load_result>>> measured_;
};

result<void> load_state::prepare(const prepare_load& request) {
  job_ = std::make_unique<job>();
  prepared_ = request.done;
  job_->plan = request.plan;
  job_->plan_message = gradmesh::job::encode(job_->plan);
  job_->rank = request.rank;
  auto map = gradmesh::job::make_partition_map(job_->plan);
  if (!map) return map.failure();
  job_->slicer.emplace(job_->plan.tables, std::move(*map));
  job_->client.emplace(job_->plan, request.rank, service, *context->router, job_->slicer->layout());
  job_->dense.resize(job_->slicer->map().dense_size());
  job_->shards_missing = request.rank == 0 ? job_->plan.layout.size() : 0;
  if (request.rank == 0)
    for (const auto& shard : job_->plan.layout.primaries())
      if (auto sent = context->router->send(shard.where, service, job_->plan_message); !sent)
        return sent.failure();
  if (job_->shards_missing == 0) std::exchange(prepared_, nullptr)->set_value({});
  return {};
}

/// The plan again: a shard that has it answers at once, on the control lane.
void load_state::ping() {
  if (pinged_ || job_->rank != 0) return;
  pinged_ = clock::now();
  (void)context->router->send(job_->plan.layout.primary(0).where, service, job_->plan_message);
}

result<void> load_state::on_ready() {
  if (const auto began = std::exchange(pinged_, std::nullopt); began && now_)
    now_->control_us.push_back(
        std::chrono::duration<float, std::micro>(clock::now() - *began).count());
  if (prepared_ && --job_->shards_missing == 0) std::exchange(prepared_, nullptr)->set_value({});
  return {};
}

request_content load_state::make_content(const load_order& order, std::uint64_t seed) const {
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> keys(order.keys);
  for (auto& key : keys)
    key = random() % key_universe;
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  const auto floats_per_key = job_->slicer->layout().floats_per_key();
  request_content content;
  for (auto& slice : job_->slicer->cut(keys)) {
    // One table at a time is measured.
    std::erase_if(slice.parts, [&](const auto& part) { return part.dense != (order.keys == 0); });
    auto& bodies = content.bodies.emplace_back();
    for (const auto& part : slice.parts) {
      const auto run = part.dense ? 0 : part.elements.size();
      const auto floats = parameters::part_floats(part, floats_per_key);
      const auto body = mesh::allocate_body(run * sizeof(std::uint64_t) + floats * sizeof(float));
      std::copy_n(slice.keys.begin() +
                      static_cast<std::ptrdiff_t>(part.dense ? 0 : part.elements.first),
                  run, body.as<std::uint64_t>(0, run).begin());
      std::ranges::fill(body.as<float>(run * sizeof(std::uint64_t), floats), 1e-6F);
      bodies.push_back(body);
    }
    content.slices.push_back(std::make_shared<const parameters::slice>(std::move(slice)));
  }
  return content;
}

result<void> load_state::run(const run_load& request) {
  measured_ = request.done;
  if (!job_) return error{errc::refused, "no job was prepared"};
  now_.emplace();
  auto& m = *now_;
  m.order = request.order;
  const auto lists = m.order.fresh_keys ? fresh_lists : 1;
  for (std::size_t list = 0; list < lists; ++list)
    m.contents.push_back(make_content(m.order, list));
  job_->rows.resize(std::max(job_->rows.size(), m.order.keys));
  m.open.resize(m.order.window);
  for (std::uint32_t place = 0; place < m.order.window; ++place)
    m.free.push_back(place);
  m.began = event_at_ = clock::now();
  m.ends = m.began + m.order.duration;
  start_requests(m.began);
  return {};
}

void load_state::start_requests(clock::time_point now) {
  while (!now_->free.empty())
    start_one(now);
}

/// Every worker has steps of its own, so that its pushes are of pieces in a row.
worker::parameter_client::push_origin load_state::origin_of(std::uint64_t sequence) const {
  const std::uint64_t pieces = job_->plan.pieces;
  return {.sequence = sequence,
          .step = job_->rank * load_steps + sequence / pieces,
          .first_piece = static_cast<std::uint32_t>(sequence % pieces),
          .pieces = 1};
}

void load_state::start_one(clock::time_point now) {
  auto& m = *now_;
  const auto& content = m.contents[m.next_content++ % m.contents.size()];
  const auto request = m.free.back();
  m.free.pop_back();
  auto& open = m.open[request];
  open = {now, 0};
  const auto shards = content.slices.size();
  if (m.order.what == load_kind::push) {
    const auto sequence = job_->pushes++;
    for (const auto& slice : content.slices)
      open.missing += !slice->parts.empty();
    for (std::size_t shard = 0; shard < shards; ++shard)
      if (!content.slices[shard]->parts.empty())
        job_->client->push(shard, origin_of(sequence), content.slices[shard], content.bodies[shard],
                           [this, request](std::uint64_t) { part_ended(request); });
    return;
  }
  for (std::size_t shard = 0; shard < shards; ++shard)
    open.missing += content.slices[shard]->parts.size();
  for (std::size_t shard = 0; shard < shards; ++shard)
    job_->client->pull(shard, {}, content.slices[shard],
                       [this, request, &slice = *content.slices[shard]](
                           const worker::parameter_client::pulled_part& part) {
                         learning::gradient_view to{job_->dense, {}};
                         if (!part.what.dense) to.sparse.emplace_back(job_->rows);
                         job_->slicer->scatter(slice, part.what, part.values, to);
                         part_ended(request);
                       });
}

void load_state::part_ended(std::uint32_t request) {
  auto& m = *now_;
  auto& open = m.open[request];
  if (--open.missing > 0) return;
  m.free.push_back(request);
  ++m.requests;
  m.latencies_us.push_back(
      std::chrono::duration<float, std::micro>(event_at_ - open.began).count());
}

template <class Event>
result<void> load_state::on(Event event) {
  if (!job_ || !now_) return {};
  event_at_ = clock::now();
  auto went = mesh::guarded([&] { return result<void>(event(*job_->client)); });
  if (went && event_at_ < now_->ends) start_requests(event_at_);
  if (went) went = job_->client->advance(env::now(*self));
  if (!went)
    fail(went.failure());
  else if (now_->in_flight() == 0)
    finish();
  return {};
}

void load_state::on_tick() {
  self->delayed_send(self, tick_interval, tick{});
  if (now_) ping();
  (void)on([](auto&) { return result<void>(); });
}

void load_state::finish() {
  auto m = std::move(*now_);
  now_.reset();
  load_result r;
  r.requests = m.requests;
  r.seconds = std::chrono::duration<double>(clock::now() - m.began).count();
  const auto quantile = [](std::vector<float>& all, double q) {
    if (all.empty()) return 0.0;
    const auto at =
        all.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(all.size() - 1));
    std::nth_element(all.begin(), at, all.end());
    return static_cast<double>(*at);
  };
  r.p50_us = quantile(m.latencies_us, 0.5);
  r.p99_us = quantile(m.latencies_us, 0.99);
  r.control_p50_us = quantile(m.control_us, 0.5);
  r.control_p99_us = quantile(m.control_us, 0.99);
  std::exchange(measured_, nullptr)->set_value(r);
}

void load_state::fail(const error& why) {
  now_.reset();
  if (prepared_) std::exchange(prepared_, nullptr)->set_value(why);
  if (measured_) std::exchange(measured_, nullptr)->set_value(why);
}

load_actor::behavior_type load(load_actor::stateful_pointer<load_state> self,
                               node::context_ptr context, mesh::service_id service) {
  auto& state = self->state;
  state.self = self;
  state.context = std::move(context);
  state.service = service;
  self->send(self, tick{});
  const auto& router = state.context->router;
  return {
      [self](const prepare_load& request) {
        if (auto prepared = self->state.prepare(request); !prepared)
          self->state.fail(prepared.failure());
      },
      [self](const run_load& request) {
        if (auto started = self->state.run(request); !started) self->state.fail(started.failure());
        (void)self->state.on([](auto&) { return result<void>(); });
      },
      mesh::receive<schema::PlanReady>(router,
                                       [self](const auto&) { return self->state.on_ready(); }),
      mesh::receive<schema::Pulled>(router,
                                    [self](const auto& m) {
                                      return self->state.on(
                                          [&](auto& client) { return client.on_pulled(m); });
                                    }),
      mesh::receive<schema::Pushed>(router,
                                    [self](const auto& m) {
                                      return self->state.on(
                                          [&](auto& client) { return client.on_pushed(m); });
                                    }),
      mesh::receive<schema::Refusal>(
          router,
          [self](const auto& m) -> result<void> {
            if (self->state.is_preparing())
              self->state.fail(mesh::to_error(*m)); // a shard does not take the plan
            return self->state.on([&](auto& client) { return client.on_refused(m); });
          }),
      [self](tick) { self->state.on_tick(); },
  };
}

} // namespace

load_actor spawn_load(const node::context_ptr& context, mesh::service_id service) {
  auto spawned = node::spawn_on(context->loop, load, context, service);
  context->router->bind(service, mesh::deliver_to(spawned));
  return spawned;
}

} // namespace gradmesh::tools::bench
