#include "actors/record/contract.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::record {

contract::contract(const job::job_plan& plan)
    : workers_(plan.workers.size()), first_step_(plan.first_step), steps_(plan.steps),
      pieces_(plan.pieces), done_(plan.done), options_(config::dump_job(plan.config)),
      layout_(plan.layout.number) {
  for (std::uint32_t rank = 0; rank < workers_; ++rank)
    adds_own_.push_back(plan.adds_own_writes(rank));
  const auto& job = plan.config.job;
  text_ = std::string(to_string(job.strategy));
  switch (job.strategy) {
  case config::strategy::bsp:
    mode_ = mode::bulk;
    backups_ = job.backup_workers;
    if (backups_ > 0) text_ += fmt::format(" with {} backup workers", backups_);
    break;
  case config::strategy::ssp:
    // With nothing stale a read sees whole steps, so they are summed as under bsp.
    mode_ = job.staleness == 0 ? mode::bulk : mode::stale;
    bound_ = job.staleness;
    text_ += fmt::format(" with staleness {}", bound_);
    break;
  case config::strategy::bounded_delay:
    mode_ = mode::delayed;
    bound_ = job.delay;
    text_ += fmt::format(" with delay {}", bound_);
    break;
  case config::strategy::async:
    break;
  }
}

job::piece_run contract::share(std::uint64_t step, std::uint64_t rank) const {
  return {step * pieces_ + rank * pieces_ / workers_,
          step * pieces_ + (rank + 1) * pieces_ / workers_};
}

std::optional<std::string> contract::fault_of(const read_record& read,
                                              const std::vector<std::uint64_t>& completed,
                                              std::uint64_t begun) const {
  if (read.own_missing > 0 && !adds_own_[read.rank])
    return fmt::format("it read ahead of its own writes under {}", text_);
  switch (mode_) {
  case mode::bulk:
    return bulk_fault(read);
  case mode::stale:
    return stale_fault(read, completed, begun);
  case mode::delayed:
    return delay_fault(read, completed);
  case mode::free:
    break;
  }
  return std::nullopt;
}

std::optional<std::string> contract::bulk_fault(const read_record& read) const {
  // The shard's clock is the number of whole steps.
  if (read.clock == read.clock_asked || (backups_ > 0 && read.clock > read.clock_asked))
    return std::nullopt;
  return fmt::format("it read {} whole steps at its clock {}", read.clock, read.clock_asked);
}

std::optional<std::string> contract::own_fault(const read_record& read, std::uint64_t completed,
                                               std::uint64_t begun) const {
  if (read.own_missing == 0) {
    if (completed >= read.clock_asked) return std::nullopt;
    return fmt::format("it read at its clock {} without its own writes: {} of its steps were "
                       "applied",
                       read.clock_asked, completed);
  }
  // What is missing the worker adds, so it must be told exactly.
  if (read.own_missing - 1 == completed && begun <= completed) return std::nullopt;
  return fmt::format("it read at its clock {} and was told that its own steps from {} on were "
                     "missing; {} were applied whole, and something of {}",
                     read.clock_asked, read.own_missing - 1, completed, begun);
}

std::optional<std::string> contract::stale_fault(const read_record& read,
                                                 const std::vector<std::uint64_t>& completed,
                                                 std::uint64_t begun) const {
  const auto clock = read.clock_asked;
  if (auto fault = own_fault(read, completed[read.rank], begun)) return fault;
  // Its own writes are there now, whoever added them.
  auto seen = completed;
  seen[read.rank] = std::max(seen[read.rank], clock);
  const auto slowest = std::ranges::min_element(seen);
  if (*slowest + bound_ >= clock) return std::nullopt;
  return fmt::format("it read at its clock {} when worker {} had completed {} steps; staleness {} "
                     "wants {}",
                     clock, slowest - seen.begin(), *slowest, bound_, clock - bound_);
}

std::optional<std::string>
contract::delay_fault(const read_record& read, const std::vector<std::uint64_t>& completed) const {
  const auto task = read.clock_asked * workers_ + read.rank;
  // The first task of each worker that is missing; all tasks before the least of them are there.
  auto first_missing = completed[0] * workers_;
  for (std::uint64_t rank = 1; rank < workers_; ++rank)
    first_missing = std::min(first_missing, completed[rank] * workers_ + rank);
  if (first_missing + bound_ >= task) return std::nullopt;
  return fmt::format("it began task {} (its clock {}) when task {} was missing; delay {} allows "
                     "none before task {} to be",
                     task, read.clock_asked, first_missing, bound_, task - bound_);
}

} // namespace gradmesh::record
