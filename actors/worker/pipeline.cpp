#include "actors/worker/pipeline.hpp"

#include "actors/defaults.hpp"
#include "actors/job/batch_body.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::worker {
namespace {

const char* verb(std::uint8_t kind) {
  constexpr const char* verbs[] = {"a lease", "the pull of step ", "the push of step "};
  return verbs[kind];
}

} // namespace

pipeline::pipeline(pipeline_tools tools, std::uint32_t phase, pass what, pipeline_options options,
                   env::time_point now)
    : tools_(std::move(tools)), phase_(phase), pass_(what), options_(options), progress_(now) {
  progress_.account(now, stall::lease);
}

bool pipeline::done() const {
  return exhausted_ && requests_.empty() && leased_.empty() && pulled_.empty() && !computing_ &&
         !computed_;
}

result<void> pipeline::advance(env::time_point now) {
  if (auto pushed = push_computed(now); !pushed) return pushed;
  if (auto leased = lease_more(now); !leased) return leased;
  if (auto pulled = pull_more(now); !pulled) return pulled;
  compute_next();
  progress_.account(now, waiting_for());
  return {};
}

stall pipeline::waiting_for() const {
  if (computing_ || done()) return stall::none;
  if (!pulled_.empty() && pulled_.front()->pulls_missing > 0) return stall::pull;
  if (computed_ || !pulled_.empty() || exhausted_) return stall::push;
  return stall::lease;
}

// --- requests -----------------------------------------------------------------------------------

std::string pipeline::describe(const request& r) const {
  const auto kind = static_cast<std::uint8_t>(r.kind);
  const bool lease = r.kind == request_kind::lease;
  const auto& place = lease ? tools_.data_servers[r.place] : tools_.plan.shards[r.place];
  return verb(kind) + (lease ? std::string() : std::to_string(r.step)) + " by " +
         (lease ? "data server '" : "shard '") + place.name + "'";
}

template <class T>
result<void> pipeline::send(const job::place& to, const mesh::draft<T>& what, request r) {
  const auto sent = tools_.router.send(to.where, tools_.service, what);
  // The news that the link is down is on its way, and says whose and why.
  if (!sent && sent.failure().code == errc::unreachable) return {};
  if (!sent)
    return error{sent.failure().code, "cannot send " + describe(r) + ": " + sent.failure().text};
  progress_.add_sent(sent->wire_bytes);
  requests_.emplace(sent->message_id, std::move(r));
  return {};
}

template <class Answer>
std::optional<pipeline::request> pipeline::take_request(const message<Answer>& answer,
                                                        request_kind kind) {
  const auto found = requests_.find(answer.header().in_reply_to);
  if (found == requests_.end() || found->second.kind != kind) return std::nullopt;
  progress_.add_received(answer.frame()->wire_bytes());
  auto taken = std::move(found->second);
  requests_.erase(found);
  return taken;
}

result<void> pipeline::on_refused(const message<schema::Refusal>& refusal) {
  const auto found = requests_.find(refusal.header().in_reply_to);
  if (found == requests_.end()) return {};
  const auto why = mesh::to_error(*refusal);
  return error{why.code, describe(found->second) + " refused: " + why.text};
}

std::optional<error> pipeline::overdue(env::time_point now, std::chrono::seconds limit) const {
  const auto oldest =
      std::min_element(requests_.begin(), requests_.end(), [](const auto& a, const auto& b) {
        return a.second.since < b.second.since;
      });
  if (oldest == requests_.end() || now - oldest->second.since <= limit) return std::nullopt;
  return error{errc::timed_out, "no answer to " + describe(oldest->second) + " within " +
                                    std::to_string(limit.count()) + " s (job.request_timeout)"};
}

// --- stages -------------------------------------------------------------------------------------

result<void> pipeline::lease_more(env::time_point now) {
  while (!exhausted_ && leased_.size() + pulled_.size() + leases_missing_ <
                            options_.prefetch + defaults::worker::steps_pulled_ahead) {
    mesh::draft<schema::LeaseBatch> lease;
    lease->setJobId(tools_.plan.job_id);
    lease->setPhase(phase_);
    lease->setRank(tools_.rank);
    lease->setSequence(lease_sequence_++);
    ++leases_missing_;
    if (auto sent = send(tools_.data_servers[data_server_], lease,
                         {request_kind::lease, data_server_, 0, nullptr, now});
        !sent)
      return sent;
  }
  return {};
}

result<void> pipeline::on_batch(const message<schema::Batch>& batch) {
  auto asked = take_request(batch, request_kind::lease);
  if (!asked) return {};
  --leases_missing_;
  const auto in = *batch;
  if (in.getExhausted()) {
    // Leases asked for ahead are all answered so; only the first one moves on to the next server.
    if (asked->place == data_server_) {
      lease_sequence_ = 0;
      exhausted_ = ++data_server_ == tools_.data_servers.size();
    }
    return {};
  }
  auto examples = job::view_batch(batch, tools_.plan.shape);
  if (!examples) return examples.failure();
  auto work = fresh_work();
  work->batch = batch;
  work->examples = *examples;
  const auto ends = in.getPieceEnds();
  work->piece_ends.clear();
  for (const auto end : ends)
    work->piece_ends.push_back(end);
  if (work->piece_ends.empty() || work->piece_ends.back() != examples->size() ||
      !std::is_sorted(work->piece_ends.begin(), work->piece_ends.end()))
    return error{errc::malformed_message, "a batch of " + std::to_string(examples->size()) +
                                              " examples is not cut into pieces"};
  work->epoch = in.getEpoch();
  work->step = in.getStep();
  // Under bsp the shard adds the workers' parts of a step's mean; otherwise each push is a mean of
  // its own.
  const auto divisor = tools_.plan.synchronous() ? in.getStepExamples()
                                                 : std::max<std::uint32_t>(1, in.getExamples());
  if (divisor == 0 || divisor < in.getExamples())
    return error{errc::malformed_message, "a step of " + std::to_string(divisor) +
                                              " examples has a batch of " +
                                              std::to_string(in.getExamples())};
  work->scale = pass_ == pass::train ? 1.0F / static_cast<float>(divisor) : 0.0F;
  work->plan = tools_.model.plan(work->examples);
  work->slices = tools_.slicer.cut(work->plan.keys);
  leased_.push_back(std::move(work));
  return {};
}

result<void> pipeline::pull_more(env::time_point now) {
  while (!leased_.empty() &&
         pulled_.size() < defaults::worker::steps_pulled_ahead + (computing_ ? 0U : 1U)) {
    pulled_.push_back(std::move(leased_.front()));
    leased_.pop_front();
    if (auto asked = pull(pulled_.back(), now); !asked) return asked;
  }
  return {};
}

result<void> pipeline::pull(const std::shared_ptr<step_work>& work, env::time_point now) {
  const auto& plan = tools_.plan;
  work->dense.resize(tools_.slicer.map().dense_size());
  const auto& widths = tools_.slicer.layout().row_widths();
  work->rows.resize(widths.size());
  for (std::size_t t = 0; t < widths.size(); ++t)
    work->rows[t].resize(work->plan.keys.size() * widths[t]);
  work->read_clock.assign(plan.shards.size(), 0);
  work->pulls_missing = plan.shards.size();
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    const auto& slice = work->slices[shard];
    mesh::draft<schema::Pull> pull;
    pull->setJobId(plan.job_id);
    pull->setRank(tools_.rank);
    pull->setClock(plan.synchronous() && pass_ == pass::train ? work->step : 0);
    pull->setDense(true);
    pull->setKeyCount(slice.keys.size());
    // A copy, because the frame may wait in a queue for longer than the step lives.
    const auto keys = mesh::allocate_body(slice.keys.size() * sizeof(std::uint64_t));
    std::copy(slice.keys.begin(), slice.keys.end(),
              keys.as<std::uint64_t>(0, slice.keys.size()).begin());
    pull.body = keys.share();
    if (auto sent =
            send(plan.shards[shard], pull, {request_kind::pull, shard, work->step, work, now});
        !sent)
      return sent;
  }
  return {};
}

result<void> pipeline::on_pulled(const message<schema::Pulled>& pulled) {
  auto asked = take_request(pulled, request_kind::pull);
  if (!asked) return {};
  progress_.add_answered_pull();
  auto& work = *asked->work;
  const auto& slice = work.slices[asked->place];
  const auto floats = tools_.slicer.body_floats(slice);
  const auto body = pulled.array<float>(0, floats);
  if (!body || body->size_bytes() != pulled.body().size())
    return error{errc::malformed_message, "the answer to " + describe(*asked) + " has " +
                                              std::to_string(pulled.body().size()) +
                                              " bytes instead of " +
                                              std::to_string(floats * sizeof(float))};
  learning::gradient_view values{work.dense, {}};
  for (auto& rows : work.rows)
    values.sparse.emplace_back(rows);
  tools_.slicer.scatter(slice, *body, values);
  work.read_clock[asked->place] = (*pulled).getClock();
  --work.pulls_missing;
  return {};
}

void pipeline::compute_next() {
  if (computing_ || computed_ || pulled_.empty() || pulled_.front()->pulls_missing > 0 ||
      acks_missing_.size() >= options_.pushes_in_flight)
    return;
  computing_ = std::move(pulled_.front());
  pulled_.pop_front();
  tools_.compute(computing_);
}

result<void> pipeline::on_computed(std::shared_ptr<step_work> work) {
  if (work != computing_) return {}; // of a pipeline before this one
  computing_.reset();
  if (work->failure) return *work->failure;
  progress_.add_step(work->metrics, work->compute_seconds, work->epoch);
  if (pass_ == pass::train)
    computed_ = std::move(work);
  else
    spare_.push_back(std::move(work));
  return {};
}

result<void> pipeline::push_computed(env::time_point now) {
  if (!computed_) return {};
  const auto work = std::move(computed_);
  const auto& plan = tools_.plan;
  const auto sequence = pushed_steps_++;
  acks_missing_[sequence] = plan.shards.size();
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    mesh::draft<schema::Push> push;
    push->setJobId(plan.job_id);
    push->setRank(tools_.rank);
    push->setSequence(sequence);
    push->setReadClock(work->read_clock[shard]);
    push->setDense(true);
    push->setKeyCount(work->slices[shard].keys.size());
    push.body = work->pushes[shard].share();
    if (auto sent =
            send(plan.shards[shard], push, {request_kind::push, shard, sequence, nullptr, now});
        !sent)
      return sent;
  }
  work->pushes.clear();
  spare_.push_back(work);
  return {};
}

result<void> pipeline::on_pushed(const message<schema::Pushed>& pushed) {
  auto asked = take_request(pushed, request_kind::push);
  if (!asked) return {};
  progress_.add_acknowledged_push((*pushed).getStaleness());
  const auto found = acks_missing_.find(asked->step);
  if (--found->second == 0) acks_missing_.erase(found);
  return {};
}

std::shared_ptr<step_work> pipeline::fresh_work() {
  if (spare_.empty()) return std::make_shared<step_work>();
  auto work = std::move(spare_.back());
  spare_.pop_back();
  return work;
}

} // namespace gradmesh::worker
