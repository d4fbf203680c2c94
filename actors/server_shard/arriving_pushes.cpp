#include "actors/server_shard/arriving_pushes.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::server_shard {

arriving_pushes::arriving_pushes(const job::job_plan& plan, shard_parameters& parameters,
                                 const rule_set& rules)
    : rules_(rules), workers_(plan.workers.size()), pieces_(plan.pieces),
      clocks_(plan, job::piece_set(plan.first_step * plan.pieces), {}), parameters_(parameters),
      schedule_(job::rate_schedule_of(plan.config)), by_rank_(plan.by_rank()),
      by_staleness_(plan.config.optimizer.staleness_scaling == config::staleness_scaling::inverse),
      plan_(plan), steps_total_(plan.steps),
      ledger_(job::piece_set(plan.first_step * plan.pieces)) {}

float arriving_pushes::rate_of(const pushed_part& part) const {
  const auto step = by_rank_ ? part.sequence : ledger_.done().size() / pieces_;
  const auto rate = parameters::rate_at(schedule_, step, steps_total_);
  const auto divisor =
      by_staleness_ ? std::max<std::uint64_t>(1, updates_ - part.read_clock) : pieces_;
  // In float32 as the learning rate of the rules; the quotient is rounded once more.
  return static_cast<float>(rate) / static_cast<float>(divisor);
}

result<taken_part> arriving_pushes::take(const message<schema::Push>&, std::uint32_t rank,
                                         const pushed_part& part) {
  const auto name = name_of(part, plan_);
  const auto taken_before = ledger_.has(name);
  if (!taken_before) return taken_before.failure();
  if (*taken_before && rules_.keeps(rule::push_once))
    return taken_part{part_fate::repeated, false, 0};
  if (part.read_clock > updates_)
    return error{errc::refused, "a push claims to have read clock " +
                                    std::to_string(part.read_clock) + "; the shard is at " +
                                    std::to_string(updates_)};
  const auto rate = rate_of(part);
  if (auto applied = parameters_.apply(rank, part.what, part.values, rate); !applied)
    return applied.failure();
  taken_part taken{part_fate::applied, false, 0, false, rate};
  if (by_rank_) clocks_.begin(part.step, part.first_piece);
  if (*taken_before || !ledger_.add(name)) return taken;
  if (by_rank_) clocks_.advance(rank, ledger_.done());
  taken.completes_push = true;
  taken.staleness = updates_++ - part.read_clock;
  return taken;
}

result<void> arriving_pushes::repeat(const repeated_change& change) {
  if (const auto& block = change.block) {
    const auto number = change.parts.front().what.block;
    if (auto adopted = parameters_.store().adopt_dense(number, block->updates, block->values);
        !adopted)
      return adopted;
  }
  for (const auto& part : change.parts) {
    const auto step = part.step * plan_.pieces;
    const push_name name{
        {step + part.first_piece, step + part.first_piece + part.pieces}, part.number, part.count};
    // The primary has asked its ledger; here it says only whether the push is whole.
    const auto taken_before = ledger_.has(name);
    if (!taken_before) return taken_before.failure();
    if (!change.block)
      if (auto applied = parameters_.apply(0, part.what, part.values, part.rate); !applied)
        return applied;
    if (by_rank_) clocks_.begin(part.step, part.first_piece);
    if (!*taken_before && ledger_.add(name)) ++updates_;
  }
  if (by_rank_)
    for (std::uint32_t rank = 0; rank < workers_; ++rank)
      clocks_.advance(rank, ledger_.done());
  return {};
}

job::piece_set arriving_pushes::begun() const {
  auto pieces = ledger_.done();
  for (const auto& [first, push] : ledger_.open())
    pieces.add({first, push.last});
  return pieces;
}

void arriving_pushes::restore(strategy_state state) {
  updates_ = state.clock;
  ledger_ = std::move(state.ledger);
  clocks_ = worker_clocks(plan_, ledger_.done(), begun());
}

bounded_staleness::bounded_staleness(const job::job_plan& plan, shard_parameters& parameters,
                                     const rule_set& rules)
    : arriving_pushes(plan, parameters, rules),
      staleness_(plan.config.job.staleness + (rules.keeps(rule::staleness_bound) ? 0U : 1U)) {}

bool bounded_staleness::may_read(std::uint32_t rank, std::uint64_t clock) const {
  const bool own_writes = !rules_.keeps(rule::read_my_writes) || clocks_.completed(rank) >= clock;
  return own_writes && clocks_.slowest() + staleness_ >= clock;
}

std::optional<std::uint64_t> bounded_staleness::may_read_ahead(std::uint32_t rank,
                                                               std::uint64_t clock) const {
  const auto slowest = clocks_.slowest_but(rank);
  const bool others = slowest >= clock || slowest + staleness_ >= clock; // the sum may overflow
  if (!others || !clocks_.is_whole(rank)) return std::nullopt;
  return clocks_.completed(rank);
}

bounded_delay::bounded_delay(const job::job_plan& plan, shard_parameters& parameters,
                             const rule_set& rules)
    : arriving_pushes(plan, parameters, rules),
      delay_(plan.config.job.delay + (rules.keeps(rule::delay_bound) ? 0U : 1U)) {}

bool bounded_delay::may_read(std::uint32_t rank, std::uint64_t clock) const {
  return clocks_.tasks_completed() + delay_ >= clock * workers_ + rank;
}

} // namespace gradmesh::server_shard
