#include "actors/server_shard/worker_clocks.hpp"

#include <algorithm>

namespace gradmesh::server_shard {

std::uint64_t worker_clocks::slowest() const {
  return std::ranges::min(ledgers_, {}, &push_ledger::completed).completed();
}

std::uint64_t worker_clocks::tasks_completed() const {
  // The first of the slowest stands before the first task that is missing.
  const auto first = std::ranges::min_element(ledgers_, {}, &push_ledger::completed);
  return first->completed() * ledgers_.size() +
         static_cast<std::uint64_t>(first - ledgers_.begin());
}

} // namespace gradmesh::server_shard
