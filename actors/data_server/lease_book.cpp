#include "actors/data_server/lease_book.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::data_server {

lease_book::lease_book(const job::job_plan& plan, std::size_t index, pass what,
                       std::uint64_t examples, rule_set rules)
    : plan_(plan), rules_(rules), pass_(what), index_(index),
      by_rank_(what == pass::train && plan.by_rank()),
      pieces_(what == pass::train ? plan.pieces : 1),
      first_step_(what == pass::train ? plan.first_step : 0),
      next_batch_(first_step_ * pieces_ + index), schedule_({.examples = examples,
                                                             .batch = plan.config.job.batch_size,
                                                             .pieces = pieces_,
                                                             .seed = plan.config.job.seed,
                                                             .shuffle = what == pass::train}),
      holders_(plan.workers.size()) {
  const auto steps = what == pass::train ? plan.steps : schedule_.steps_per_epoch();
  end_after(steps);
}

std::uint64_t lease_book::steps_begun() const {
  if (by_rank_) {
    std::uint64_t most = 0;
    for (std::uint32_t rank = 0; rank < holders_.size(); ++rank) {
      const auto each = batches_of(rank);
      most = std::max(most, (holders_[rank].next_sequence + each - 1) / each);
    }
    return first_step_ + most;
  }
  const auto servers = plan_.data_servers.size();
  const auto first = first_step_ * pieces_ + index_;
  return next_batch_ == first ? first_step_ : (next_batch_ - servers) / pieces_ + 1;
}

std::uint64_t lease_book::next_step(std::uint32_t rank) const {
  return by_rank_ ? first_step_ + holders_[rank].next_sequence / batches_of(rank)
                  : next_batch_ / pieces_;
}

std::uint64_t lease_book::batches_of(std::uint32_t rank) const {
  if (plan_.sums_steps()) return 1;
  const auto range = job::pieces_of_worker(plan_, rank);
  return range.last - range.first;
}

void lease_book::end_after(std::uint64_t steps) {
  batches_ = by_rank_ ? steps : steps * pieces_;
}

result<std::optional<batch_choice>> lease_book::lease(std::uint32_t rank, std::uint64_t sequence) {
  if (rank >= holders_.size())
    return error{errc::refused, "there is no worker " + std::to_string(rank) + " in a job of " +
                                    std::to_string(holders_.size())};
  auto& worker = holders_[rank];
  const auto back = worker.next_sequence - sequence; // 1: the latest
  if (sequence < worker.next_sequence && back <= worker.latest.size()) {
    auto& known = worker.latest[worker.latest.size() - back];
    if (known && !rules_.keeps(rule::leased_once)) known = next_batch(rank, worker.next_sequence);
    return known ? choose(rank, *known) : std::nullopt;
  }
  if (sequence != worker.next_sequence)
    return error{errc::refused, "worker " + std::to_string(rank) + " asks for lease " +
                                    std::to_string(sequence) + ", its next is " +
                                    std::to_string(worker.next_sequence)};
  ++worker.next_sequence;
  const auto batch = next_batch(rank, sequence);
  worker.latest.push_back(batch);
  if (worker.latest.size() > kept_leases_max) worker.latest.pop_front();
  if (!batch) return std::optional<batch_choice>();
  ++leased_;
  return choose(rank, *batch);
}

std::optional<std::uint64_t> lease_book::next_batch(std::uint32_t rank, std::uint64_t sequence) {
  const auto servers = plan_.data_servers.size();
  if (by_rank_) {
    const auto each = batches_of(rank);
    const auto step = first_step_ + sequence / each;
    if (rank % servers != index_ || step >= batches_) return std::nullopt;
    return step * each + sequence % each;
  }
  const auto is_done = [&](std::uint64_t batch) {
    return pass_ == pass::train && plan_.done.contains({batch, batch + 1});
  };
  while (next_batch_ < batches_ && is_done(next_batch_))
    next_batch_ += servers;
  if (next_batch_ >= batches_) return std::nullopt;
  const auto batch = next_batch_;
  next_batch_ += servers;
  return batch;
}

std::optional<batch_choice> lease_book::choose(std::uint32_t rank, std::uint64_t batch) {
  if (by_rank_) {
    const auto range = job::pieces_of_worker(plan_, rank);
    if (plan_.sums_steps()) return schedule_.choose(batch, range.first, range.last);
    const auto each = batches_of(rank);
    const auto piece = range.first + static_cast<std::uint32_t>(batch % each);
    return schedule_.choose(batch / each, piece, piece + 1);
  }
  const auto piece = static_cast<std::uint32_t>(batch % pieces_);
  return schedule_.choose(batch / pieces_, piece, piece + 1);
}

} // namespace gradmesh::data_server
