#pragma once

/// How far each worker of a job is on one shard, where workers take steps by rank: the vector clock
/// of its completed pushes, read from the ledger of the shard.

#include "actors/job/job_plan.hpp"
#include "actors/job/piece_set.hpp"

#include <cstdint>
#include <vector>

namespace gradmesh::server_shard {

class worker_clocks {
public:
  /// `done`: what is applied so far; `begun`: that, and what is applied in part.
  worker_clocks(const job::job_plan& plan, const job::piece_set& done, const job::piece_set& begun);

  /// A part of a piece of a step was applied.
  void begin(std::uint64_t step, std::uint32_t piece);
  /// More has been applied of a worker's pushes.
  void advance(std::uint32_t rank, const job::piece_set& done);

  /// All pushes of a worker before this one are applied.
  std::uint64_t completed(std::uint32_t rank) const { return completed_[rank]; }
  /// Nothing of a worker's pushes from `completed` on is applied.
  bool is_whole(std::uint32_t rank) const { return begun_[rank] <= completed_[rank]; }
  /// The least of `completed`.
  std::uint64_t slowest() const;
  /// The least of those of the other workers; the greatest number if there are none.
  std::uint64_t slowest_but(std::uint32_t rank) const;
  /// All tasks before this one are applied, where push s of worker r of M is task s M + r.
  std::uint64_t tasks_completed() const;

private:
  std::uint64_t pieces_;                 // of a step
  std::vector<job::piece_range> shares_; // of a step, by rank
  std::vector<std::uint64_t> completed_; // by rank
  std::vector<std::uint64_t> begun_;     // by rank: no push from this one on has begun
};

} // namespace gradmesh::server_shard
