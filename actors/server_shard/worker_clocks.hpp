#pragma once

/// How far each worker of a job is on one shard: the vector clock of its completed pushes.

#include "actors/server_shard/push_ledger.hpp"

#include <cstdint>
#include <vector>

namespace gradmesh::server_shard {

class worker_clocks {
public:
  /// Every worker's first push is number `first`.
  worker_clocks(std::size_t workers, std::uint64_t first) : ledgers_(workers, push_ledger(first)) {}

  push_ledger& of(std::uint32_t rank) { return ledgers_[rank]; }

  /// All pushes of a worker before this one are applied.
  std::uint64_t completed(std::uint32_t rank) const { return ledgers_[rank].completed(); }
  /// The least of these.
  std::uint64_t slowest() const;
  /// All tasks before this one are applied, where push s of worker r of M is task s M + r.
  std::uint64_t tasks_completed() const;

private:
  std::vector<push_ledger> ledgers_; // by rank
};

} // namespace gradmesh::server_shard
