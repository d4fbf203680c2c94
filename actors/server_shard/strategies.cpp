#include "actors/server_shard/strategies.hpp"

#include <string>

namespace gradmesh::server_shard {
namespace {

error out_of_turn(const char* what, std::uint64_t sequence, std::uint64_t expected) {
  return {errc::refused, "push " + std::to_string(sequence) + " came while " + what + " " +
                             std::to_string(expected) + " is expected"};
}

} // namespace

bsp_shard::bsp_shard(job::job_plan plan, parameters::parameter_store store,
                     std::shared_ptr<mesh::router> router)
    : shard_job(std::move(plan), std::move(store), std::move(router)), step_(plan_.workers.size()),
      sum_(store_.layout().row_widths()) {}

result<void> bsp_shard::strategy_pull(const message<schema::Pull>& request) {
  if ((*request).getClock() <= counters_.updates) return answer(request);
  if (waiting_.size() >= 2 * step_.size())
    return error{errc::limit_exceeded, std::to_string(waiting_.size()) +
                                           " pulls wait for a later step already; a worker may "
                                           "have two"};
  waiting_.push_back(request);
  return {};
}

result<void> bsp_shard::strategy_push(const message<schema::Push>& request,
                                      const parameters::gradient& change) {
  const auto push = *request;
  const auto step = push.getSequence();
  auto& slot = step_[push.getRank()];
  if (step < counters_.updates || (step == counters_.updates && slot)) {
    ++counters_.repeated_pushes;
    acknowledge(request, 0);
    return {};
  }
  if (step > counters_.updates) return out_of_turn("step", step, counters_.updates);
  // Checked alone, so that a bad gradient is its sender's error and not the step's.
  if (auto checked = store_.check(change); !checked) return checked;
  slot = request;
  ++counters_.pushes;
  acknowledge(request, 0);
  return ++arrived_ == step_.size() ? apply_step() : result<void>();
}

result<void> bsp_shard::apply_step() {
  std::vector<parameters::gradient> parts;
  for (const auto& push : step_) {
    auto part = gradient_of(*push);
    if (!part) return part.failure();
    parts.push_back(*part);
  }
  const auto total = sum_.add(parts);
  if (!total) return total.failure();
  const auto rate = static_cast<float>(plan_.config.optimizer.learning_rate);
  if (auto applied = store_.apply(*total, rate); !applied) return applied;
  ++counters_.updates;
  arrived_ = 0;
  for (auto& push : step_)
    push.reset();

  std::vector<message<schema::Pull>> still_waiting;
  for (auto& pull : std::exchange(waiting_, {})) {
    if ((*pull).getClock() > counters_.updates)
      still_waiting.push_back(std::move(pull));
    else if (auto answered = answer(pull); !answered)
      refuse(pull, answered.failure());
  }
  waiting_ = std::move(still_waiting);
  return {};
}

async_shard::async_shard(job::job_plan plan, parameters::parameter_store store,
                         std::shared_ptr<mesh::router> router)
    : shard_job(std::move(plan), std::move(store), std::move(router)),
      next_sequence_(plan_.workers.size(), 0),
      learning_rate_(static_cast<float>(plan_.config.optimizer.learning_rate) /
                     static_cast<float>(plan_.workers.size())) {}

result<void> async_shard::strategy_pull(const message<schema::Pull>& request) {
  return answer(request);
}

result<void> async_shard::strategy_push(const message<schema::Push>& request,
                                        const parameters::gradient& change) {
  const auto push = *request;
  auto& expected = next_sequence_[push.getRank()];
  if (push.getSequence() < expected) {
    ++counters_.repeated_pushes;
    acknowledge(request, 0);
    return {};
  }
  if (push.getSequence() > expected) return out_of_turn("push", push.getSequence(), expected);
  if (push.getReadClock() > counters_.updates)
    return error{errc::refused, "a push claims to have read clock " +
                                    std::to_string(push.getReadClock()) + "; the shard is at " +
                                    std::to_string(counters_.updates)};
  if (auto applied = store_.apply(change, learning_rate_); !applied) return applied;
  const auto staleness = counters_.updates - push.getReadClock();
  ++expected;
  ++counters_.updates;
  ++counters_.pushes;
  acknowledge(request, staleness);
  return {};
}

} // namespace gradmesh::server_shard
