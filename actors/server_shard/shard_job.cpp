#include "actors/server_shard/shard_job.hpp"

#include "actors/job/partition_body.hpp"
#include "actors/server_shard/strategies.hpp"

#include <string>

namespace gradmesh::server_shard {
namespace {

/// A frame of parts that are copied into it, and the blocks that have one to themselves.
constexpr std::size_t shared_frame_bytes_max = 64u << 10;
constexpr std::size_t own_frame_bytes_min = 16u << 10;
constexpr std::uint8_t shared_frame_priority = 1;
/// Key lists that are remembered for each worker.
constexpr std::size_t known_lists_max = 64;
constexpr std::size_t known_bytes_max = 64u << 20;

} // namespace

shard_job::shard_job(job::job_plan plan, parameters::parameter_store store,
                     std::shared_ptr<mesh::router> router)
    : plan_(std::move(plan)), store_(std::move(store)), router_(std::move(router)),
      known_keys_(plan_.workers.size(), {known_lists_max, known_bytes_max}) {}

result<std::unique_ptr<shard_job>> shard_job::make(job::job_plan plan, std::uint64_t epoch,
                                                   std::size_t index,
                                                   std::shared_ptr<mesh::router> router) {
  auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  auto store = parameters::parameter_store::make(
      plan.tables, std::move(*map), static_cast<std::uint32_t>(index),
      job::optimizer_options_of(plan.config), plan.config.job.seed);
  if (!store) return store.failure();
  std::unique_ptr<shard_job> made;
  if (plan.synchronous())
    made = std::make_unique<bsp_shard>(std::move(plan), std::move(*store), std::move(router));
  else
    made = std::make_unique<async_shard>(std::move(plan), std::move(*store), std::move(router));
  made->epoch_ = epoch;
  return made;
}

result<void> shard_job::check_worker(std::uint64_t job_id, std::uint32_t rank,
                                     const mesh::frame_header& request) const {
  const mesh::address sender{request.from.uuid, request.from_service};
  if (job_id != plan_.job_id)
    return error{errc::refused, "this shard works on job " + std::to_string(plan_.job_id) +
                                    ", not on job " + std::to_string(job_id)};
  if (rank >= plan_.workers.size() || plan_.workers[rank].where != sender)
    return error{errc::refused, "node " + mesh::short_name(sender.node) + " is not worker " +
                                    std::to_string(rank) + " of job " + std::to_string(job_id)};
  // Who was told of the job was told of its view before.
  if (request.view_epoch < epoch_)
    return error{errc::refused, "worker " + std::to_string(rank) + " acts on view " +
                                    std::to_string(request.view_epoch) + ", but job " +
                                    std::to_string(job_id) + " was planned in view " +
                                    std::to_string(epoch_)};
  return {};
}

result<void> shard_job::pull(const message<schema::Pull>& request) {
  const auto pull = *request;
  if (auto known = check_worker(pull.getJobId(), pull.getRank(), request.header()); !known)
    return known;
  // Before it may have to wait, so that a request that makes no sense is refused at once.
  if (auto parts = read_parts(request, store_); !parts) return parts.failure();
  return strategy_pull(request);
}

result<void> shard_job::answer(const message<schema::Pull>& request) {
  const auto parts = read_parts(request, store_);
  if (!parts) return parts.failure();
  const auto format = job::transfer_format_of(plan_.config.job.pull_as);
  // Small parts share a frame, for which they are copied. A block of its own is sent from where it
  // is: a later update does not change what was handed out.
  std::vector<std::uint32_t> numbers;
  mesh::writable_body body;
  std::size_t used = 0;
  const auto send_copied = [&]() -> result<void> {
    if (numbers.empty()) return {};
    mesh::frame_body filled{body.owner, body.bytes.first(std::exchange(used, 0))};
    body = {};
    auto sent = send_values(request, numbers, shared_frame_priority, std::move(filled));
    numbers.clear();
    return sent;
  };
  for (std::uint32_t number = 0; number < parts->size(); ++number) {
    const auto& part = (*parts)[number];
    auto values = values_of((*request).getRank(), part);
    if (!values) return values.failure();
    const auto encoded = parameters::encoded_bytes(format, values->values.size());
    if (part.dense && format == parameters::transfer_format::float32 &&
        encoded >= own_frame_bytes_min) {
      const mesh::frame_body block{std::move(values->owner), std::as_bytes(values->values)};
      const auto priority = mesh::tensor_priority(part.block, store_.dense_blocks());
      if (auto sent = send_values(request, {&number, 1}, priority, block); !sent) return sent;
      continue;
    }
    if (used + padded(encoded) > body.bytes.size()) {
      if (auto sent = send_copied(); !sent) return sent;
      body = mesh::allocate_body(std::max(padded(encoded), shared_frame_bytes_max));
    }
    const auto room = body.bytes.subspan(used, padded(encoded));
    if (auto done = parameters::encode(format, values->values, room.first(encoded)); !done)
      return done;
    std::ranges::fill(room.subspan(encoded), std::byte{0});
    used += room.size();
    numbers.push_back(number);
  }
  if (auto sent = send_copied(); !sent) return sent;
  ++counters_.pulls;
  return {};
}

result<parameters::shared_floats> shard_job::values_of(std::uint32_t rank,
                                                       const requested_part& part) {
  if (part.dense) return store_.dense_block(part.block);
  const auto rows = rows_of(rank, part);
  if (!rows) return rows.failure();
  const auto floats = store_.row_floats((*rows)->size());
  if (floats > mesh::body_bytes_max / sizeof(float))
    return error{errc::limit_exceeded,
                 "a run of " + std::to_string((*rows)->size()) + " keys is too long for one frame"};
  row_values_.resize(floats);
  if (auto read = store_.read_sparse(**rows, row_values_); !read) return read.failure();
  return parameters::shared_floats{nullptr, row_values_};
}

result<void> shard_job::send_values(const message<schema::Pull>& request,
                                    std::span<const std::uint32_t> numbers, std::uint8_t priority,
                                    mesh::frame_body body) {
  mesh::draft<schema::Pulled> pulled;
  pulled->setJobId(plan_.job_id);
  pulled->setClock(counters_.updates);
  auto parts = pulled->initParts(static_cast<unsigned>(numbers.size()));
  for (unsigned i = 0; i < numbers.size(); ++i)
    parts.set(i, numbers[i]);
  pulled.priority = priority;
  pulled.body = std::move(body);
  const auto sent = router_->reply(request, pulled);
  // A worker that is gone is the coordinator's business, not this shard's.
  if (!sent && sent.failure().code == errc::retry_later) return sent.failure();
  return {};
}

result<parameters::key_rows*> shard_job::rows_of(std::uint32_t rank, const requested_part& what) {
  auto& known = known_keys_[rank];
  if (!what.has_keys) {
    if (auto* rows = known.find(what.name)) return rows;
    return error{errc::unknown_keys,
                 "a list of " + std::to_string(what.name.count) +
                     " keys is not known by its hash (any more); send the keys"};
  }
  auto rows = store_.resolve(what.keys);
  if (!rows) return rows.failure();
  // A worker that gives the hash may leave out the keys next time. What it says is not believed.
  if (what.name.hash != 0) {
    const auto name = parameters::name_of(what.keys);
    known.keep(name, *std::move(rows));
    if (auto* kept = known.find(name)) return kept;
    rows = store_.resolve(what.keys); // too long to be kept
    if (!rows) return rows.failure();
  }
  looked_up_ = *std::move(rows);
  return &looked_up_;
}

result<void> shard_job::check(std::uint32_t rank, const requested_part& what,
                              std::span<const float> values) {
  if (what.dense) return store_.check_dense(what.block, values);
  const auto rows = rows_of(rank, what);
  return rows ? store_.check_sparse(**rows, values) : rows.failure();
}

result<void> shard_job::apply(std::uint32_t rank, const requested_part& what,
                              std::span<const float> values, float rate) {
  if (what.dense) return store_.apply_dense(what.block, values, rate);
  const auto rows = rows_of(rank, what);
  return rows ? store_.apply_sparse(**rows, values, rate) : rows.failure();
}

result<void> shard_job::push(const message<schema::Push>& request) {
  std::vector<std::uint64_t> staleness;
  auto taken = take_parts(request, staleness);
  if (!staleness.empty()) {
    mesh::draft<schema::Pushed> pushed;
    pushed->setJobId(plan_.job_id);
    const auto count = static_cast<unsigned>(staleness.size());
    auto numbers = pushed->initParts(count);
    auto stale = pushed->initStaleness(count);
    for (unsigned i = 0; i < count; ++i) {
      numbers.set(i, i);
      stale.set(i, staleness[i]);
    }
    (void)router_->reply(request, pushed);
  }
  if (!taken) {
    ++counters_.refused;
    return taken;
  }
  return after_push();
}

result<void> shard_job::take_parts(const message<schema::Push>& request,
                                   std::vector<std::uint64_t>& staleness) {
  const auto push = *request;
  if (auto known = check_worker(push.getJobId(), push.getRank(), request.header()); !known)
    return known;
  const auto parts = read_parts(request, store_, job::transfer_format_of(plan_.config.job.push_as));
  if (!parts) return parts.failure();
  // All or none of a message's parts. (A single one is checked when it is applied.)
  if (parts->size() > 1)
    for (const auto& part : *parts)
      if (auto checked = check(push.getRank(), part.what, part.values); !checked) return checked;
  staleness.reserve(parts->size());
  for (const auto& part : *parts) {
    auto taken = strategy_push(request, push.getRank(), part);
    if (!taken) return taken.failure();
    staleness.push_back(*taken);
  }
  return {};
}

void shard_job::refuse(const message<schema::Pull>& request, const error& why) {
  (void)router_->reply(request, mesh::make_refusal(why));
}

result<void> shard_job::export_partition(const message<schema::ExportPartition>& request) {
  if ((*request).getJobId() != plan_.job_id)
    return error{errc::refused, "this shard works on job " + std::to_string(plan_.job_id)};
  auto content = store_.export_partition((*request).getPartition());
  if (!content) return content.failure();
  auto answer = job::encode_partition(plan_.job_id, *content);
  if (!answer) return answer.failure();
  (void)router_->reply(request, *answer);
  return {};
}

} // namespace gradmesh::server_shard
