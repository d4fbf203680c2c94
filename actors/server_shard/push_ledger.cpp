#include "actors/server_shard/push_ledger.hpp"

#include <string>

namespace gradmesh::server_shard {

result<bool> push_ledger::has(std::uint64_t sequence, std::uint32_t part,
                              std::uint32_t count) const {
  if (sequence < next_) return true;
  if (sequence - next_ > pushes_ahead_max)
    return error{errc::refused, "push " + std::to_string(sequence) + " came while push " +
                                    std::to_string(next_) + " is expected"};
  const auto found = open_.find(sequence);
  if (found == open_.end()) return false;
  if (found->second.taken.size() != count)
    return error{errc::refused, "push " + std::to_string(sequence) + " has " +
                                    std::to_string(count) + " parts now and had " +
                                    std::to_string(found->second.taken.size()) + " before"};
  return bool(found->second.taken[part]);
}

bool push_ledger::add(std::uint64_t sequence, std::uint32_t part, std::uint32_t count) {
  // The usual case: whole pushes in order.
  if (count == 1 && sequence == next_ && open_.empty()) {
    ++next_;
    return true;
  }
  auto& push = open_[sequence];
  if (push.taken.empty()) {
    push.taken.resize(count);
    push.missing = count;
  }
  push.taken[part] = true;
  const bool complete = --push.missing == 0;
  while (!open_.empty() && open_.begin()->first == next_ && open_.begin()->second.missing == 0) {
    open_.erase(open_.begin());
    ++next_;
  }
  return complete;
}

} // namespace gradmesh::server_shard
