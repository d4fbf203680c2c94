#include "actors/server_shard/worker_clocks.hpp"

#include <algorithm>
#include <limits>

namespace gradmesh::server_shard {

worker_clocks::worker_clocks(const job::job_plan& plan, const job::piece_set& done,
                             const job::piece_set& begun)
    : pieces_(plan.pieces), completed_(plan.workers.size(), done.below() / plan.pieces),
      begun_(plan.workers.size(), 0) {
  const auto steps = begun.runs().empty() ? 0 : (begun.runs().rbegin()->second - 1) / pieces_ + 1;
  for (std::uint32_t rank = 0; rank < completed_.size(); ++rank) {
    shares_.push_back(job::pieces_of_worker(plan, rank));
    advance(rank, done);
    const auto& share = shares_[rank];
    for (auto step = steps; step > completed_[rank] && begun_[rank] == 0; --step)
      if (const auto at = (step - 1) * pieces_; begun.touches({at + share.first, at + share.last}))
        begun_[rank] = step;
  }
}

void worker_clocks::begin(std::uint64_t step, std::uint32_t piece) {
  for (std::uint32_t rank = 0; rank < shares_.size(); ++rank)
    if (shares_[rank].first <= piece && piece < shares_[rank].last)
      begun_[rank] = std::max(begun_[rank], step + 1);
}

void worker_clocks::advance(std::uint32_t rank, const job::piece_set& done) {
  auto& step = completed_[rank];
  while (done.contains({step * pieces_ + shares_[rank].first, step * pieces_ + shares_[rank].last}))
    ++step;
}

std::uint64_t worker_clocks::slowest() const {
  return std::ranges::min(completed_);
}

std::uint64_t worker_clocks::slowest_but(std::uint32_t rank) const {
  auto least = std::numeric_limits<std::uint64_t>::max();
  for (std::uint32_t other = 0; other < completed_.size(); ++other)
    if (other != rank) least = std::min(least, completed_[other]);
  return least;
}

std::uint64_t worker_clocks::tasks_completed() const {
  // The first of the slowest stands before the first task that is missing.
  const auto first = std::ranges::min_element(completed_);
  return *first * completed_.size() + static_cast<std::uint64_t>(first - completed_.begin());
}

} // namespace gradmesh::server_shard
