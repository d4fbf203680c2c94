#include "actors/server_shard/worker_clocks.hpp"

#include <algorithm>

namespace gradmesh::server_shard {

worker_clocks::worker_clocks(const job::job_plan& plan, const job::piece_set& done)
    : pieces_(plan.pieces), completed_(plan.workers.size(), done.below() / plan.pieces) {
  for (std::uint32_t rank = 0; rank < completed_.size(); ++rank) {
    shares_.push_back(job::pieces_of_worker(plan, rank));
    advance(rank, done);
  }
}

void worker_clocks::advance(std::uint32_t rank, const job::piece_set& done) {
  auto& step = completed_[rank];
  while (done.contains({step * pieces_ + shares_[rank].first, step * pieces_ + shares_[rank].last}))
    ++step;
}

std::uint64_t worker_clocks::slowest() const {
  return std::ranges::min(completed_);
}

std::uint64_t worker_clocks::tasks_completed() const {
  // The first of the slowest stands before the first task that is missing.
  const auto first = std::ranges::min_element(completed_);
  return *first * completed_.size() + static_cast<std::uint64_t>(first - completed_.begin());
}

} // namespace gradmesh::server_shard
