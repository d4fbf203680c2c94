#include "actors/data_server/lease_book.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::data_server {

lease_book::lease_book(const job::job_plan& plan, std::size_t index, pass what,
                       std::uint64_t examples)
    : plan_(plan), index_(index), by_rank_(what == pass::train && plan.by_rank()),
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
    for (const auto& worker : holders_)
      most = std::max(most, worker.next_sequence);
    return first_step_ + most;
  }
  const auto servers = plan_.data_servers.size();
  const auto first = first_step_ * pieces_ + index_;
  return next_batch_ == first ? first_step_ : (next_batch_ - servers) / pieces_ + 1;
}

std::uint64_t lease_book::next_step(std::uint32_t rank) const {
  return by_rank_ ? first_step_ + holders_[rank].next_sequence : next_batch_ / pieces_;
}

void lease_book::end_after(std::uint64_t steps) {
  batches_ = by_rank_ ? steps : steps * pieces_;
}

result<std::optional<batch_choice>> lease_book::lease(std::uint32_t rank, std::uint64_t sequence) {
  if (rank >= holders_.size())
    return error{errc::refused, "there is no worker " + std::to_string(rank) + " in a job of " +
                                    std::to_string(holders_.size())};
  auto& latest = holders_[rank];
  if (sequence + 1 == latest.next_sequence)
    return latest.batch ? choose(rank, *latest.batch) : std::nullopt;
  if (sequence != latest.next_sequence)
    return error{errc::refused, "worker " + std::to_string(rank) + " asks for lease " +
                                    std::to_string(sequence) + ", its next is " +
                                    std::to_string(latest.next_sequence)};
  ++latest.next_sequence;
  latest.batch = next_batch(rank, sequence);
  if (!latest.batch) return std::optional<batch_choice>();
  ++leased_;
  return choose(rank, *latest.batch);
}

std::optional<std::uint64_t> lease_book::next_batch(std::uint32_t rank, std::uint64_t sequence) {
  const auto servers = plan_.data_servers.size();
  if (by_rank_)
    return rank % servers == index_ && first_step_ + sequence < batches_
               ? std::optional(first_step_ + sequence)
               : std::nullopt;
  if (next_batch_ >= batches_) return std::nullopt;
  const auto batch = next_batch_;
  next_batch_ += servers;
  return batch;
}

std::optional<batch_choice> lease_book::choose(std::uint32_t rank, std::uint64_t batch) {
  if (by_rank_) {
    const auto range = job::pieces_of_worker(plan_, rank);
    return schedule_.choose(batch, range.first, range.last);
  }
  const auto piece = static_cast<std::uint32_t>(batch % pieces_);
  return schedule_.choose(batch / pieces_, piece, piece + 1);
}

} // namespace gradmesh::data_server
