/// How a shard answers pulls: at once, or when the strategy lets their worker read.

#include "actors/server_shard/shard_job.hpp"

#include "actors/parameters/part.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::server_shard {
namespace {

constexpr std::uint8_t shared_frame_priority = 1;
/// A worker asks for a step's parameters in several messages if they are many.
constexpr std::size_t waiting_pulls_per_worker = 64;

/// What the parts from `first` on take of the frame that they share.
std::size_t shared_bytes(std::span<const requested_part> parts, std::size_t first,
                         const parameters::parameter_store& store,
                         parameters::transfer_format format) {
  std::size_t bytes = 0;
  for (const auto& part :
       parts.subspan(first).first(std::min(parts.size() - first, parameters::shared_parts_max))) {
    bytes += padded(parameters::encoded_bytes(format, part_floats(part, store)));
    if (bytes > parameters::shared_bytes_max) return parameters::shared_bytes_max;
  }
  return bytes;
}

} // namespace

result<void> shard_job::pull(const message<schema::Pull>& request) {
  const auto pull = *request;
  if (auto known = check_request(request); !known) return known;
  if (auto known = check_step(pull.getClock()); !known) return known;
  if (pull.getAddsOwn() && !plan_.adds_own_writes(pull.getRank()))
    return error{errc::refused, "worker " + std::to_string(pull.getRank()) +
                                    " wants to add its own pushes to what it reads, which this job "
                                    "does not allow; do all nodes run the same version?"};
  if (may_read(pull)) return answer(request, 0);
  // Before it has to wait, so that a request that makes no sense is refused at once.
  if (auto parts = read_parts(request, parameters_.store()); !parts) return parts.failure();
  if (waiting_.size() >= waiting_pulls_per_worker * plan_.workers.size())
    return error{errc::retry_later,
                 std::to_string(waiting_.size()) + " pulls wait for other workers already"};
  waiting_.push_back({request, now_});
  return {};
}

bool shard_job::may_read(schema::Pull::Reader pull) const {
  if (!strategy_->may_read(pull.getRank(), pull.getClock()) &&
      !(pull.getAddsOwn() && strategy_->may_read_ahead(pull.getRank(), pull.getClock())))
    return false;
  const bool replicated = !backup_ || backup_->has(backup_->last());
  return replicated || !plan_.sums_steps() || pull.getClock() < strategy_->clock();
}

void shard_job::answer_waiting() {
  std::vector<waiting_pull> still_waiting;
  for (auto& pull : std::exchange(waiting_, {})) {
    const auto& request = pull.request;
    if (!may_read(*request))
      still_waiting.push_back(std::move(pull));
    else if (auto answered = answer(request, env::seconds_between(pull.since, now_)); !answered)
      (void)router_->reply(request, mesh::make_refusal(answered.failure()));
  }
  waiting_ = std::move(still_waiting);
}

result<void> shard_job::answer(const message<schema::Pull>& request, double held_seconds) {
  const auto parts = read_parts(request, parameters_.store());
  if (!parts) return parts.failure();
  // The other version is for who computes a step anew, not for who looks at the model.
  const auto* version =
      (*request).getForPush() > 0 ? strategy_->version_at((*request).getClock()) : nullptr;
  pull_answer to{request, *parts, version, held_seconds};
  const auto pull = *request;
  if (!strategy_->may_read(pull.getRank(), pull.getClock()))
    to.own_missing = 1 + *strategy_->may_read_ahead(pull.getRank(), pull.getClock());
  const auto sent = send_parts(to);
  if (sink_) tell_read(to);
  if (sent) ++counters_.pulls;
  return sent;
}

result<void> shard_job::send_parts(const pull_answer& to) {
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
    auto sent = send_values(to, numbers, shared_frame_priority, std::move(filled));
    numbers.clear();
    return sent;
  };
  for (std::uint32_t number = 0; number < to.parts.size(); ++number) {
    const auto& part = to.parts[number];
    auto values = values_of(to, part);
    if (!values) return values.failure();
    const auto encoded = parameters::encoded_bytes(format, values->values.size());
    if (part.dense && format == parameters::transfer_format::float32 &&
        encoded > parameters::shared_part_bytes_max) {
      const mesh::frame_body block{std::move(values->owner), std::as_bytes(values->values)};
      const auto priority = mesh::tensor_priority(part.block, parameters_.store().dense_blocks());
      if (auto sent = send_values(to, {&number, 1}, priority, block); !sent) return sent;
      continue;
    }
    if (used + padded(encoded) > body.bytes.size()) {
      if (auto sent = send_copied(); !sent) return sent;
      body = mesh::allocate_body(
          std::max(padded(encoded), shared_bytes(to.parts, number, parameters_.store(), format)));
    }
    const auto room = body.bytes.subspan(used, padded(encoded));
    if (auto done = parameters::encode(format, values->values, room.first(encoded)); !done)
      return done;
    std::ranges::fill(room.subspan(encoded), std::byte{0});
    used += room.size();
    numbers.push_back(number);
  }
  return send_copied();
}

result<parameters::shared_floats> shard_job::values_of(const pull_answer& to,
                                                       const requested_part& part) {
  if ((*to.request).getOfSnapshot()) {
    const auto* snapshot = part.dense ? strategy_->snapshot_of(part.block) : nullptr;
    if (snapshot) return *snapshot;
    return error{errc::refused, "shard " + std::to_string(index_) + " has no snapshot (svrg)"};
  }
  if (to.version && part.dense)
    if (const auto* before = to.version->block(part.block)) return *before;
  auto values = parameters_.values_of((*to.request).getRank(), part);
  if (!values || !to.version || part.dense || to.version->keys().empty()) return values;
  if (!part.has_keys)
    return error{errc::unknown_keys, "a step that is done again is read by the keys"};
  auto rows = parameters_.looked_at();
  to.version->restore(part.keys, rows, parameters_.store().layout().row_widths());
  return parameters::shared_floats{nullptr, rows};
}

result<void> shard_job::send_values(const pull_answer& to, std::span<const std::uint32_t> numbers,
                                    std::uint8_t priority, mesh::frame_body body) {
  mesh::draft<schema::Pulled> pulled;
  pulled->setJobId(plan_.job_id);
  pulled->setClock(to.version ? *to.version->clock() : strategy_->clock());
  pulled->setHeldSeconds(to.held_seconds);
  pulled->setOwnMissing(to.own_missing);
  auto parts = pulled->initParts(static_cast<unsigned>(numbers.size()));
  for (unsigned i = 0; i < numbers.size(); ++i)
    parts.set(i, numbers[i]);
  pulled.priority = priority;
  pulled.body = std::move(body);
  const auto sent = router_->reply(to.request, pulled);
  // A worker that is gone is the coordinator's business, not this shard's.
  if (!sent && sent.failure().code == errc::retry_later) return sent.failure();
  if (!sink_) return {};
  for (const auto number : numbers) {
    const auto part = to.parts[number].number;
    if (!parts_sent_.empty() && part == parts_sent_.back().first + parts_sent_.back().count)
      ++parts_sent_.back().count;
    else
      parts_sent_.push_back({part, 1});
  }
  return {};
}

void shard_job::refuse_waiting(const error& why) {
  for (const auto& pull : std::exchange(waiting_, {}))
    (void)router_->reply(pull.request, mesh::make_refusal(why));
  for (const auto& push : cut_.take_parked())
    (void)router_->reply(push, mesh::make_refusal(why));
  cut_.drop();
}

void shard_job::tell_read(const pull_answer& answered) {
  const auto pull = *answered.request;
  if (!parts_sent_.empty())
    sink_->add(record::read_record{.rank = pull.getRank(),
                                   .for_push = pull.getForPush(),
                                   .clock_asked = pull.getClock(),
                                   .clock = answered.version ? *answered.version->clock()
                                                             : strategy_->clock(),
                                   .own_missing = answered.own_missing,
                                   .parts = parts_sent_});
  parts_sent_.clear();
}

} // namespace gradmesh::server_shard
