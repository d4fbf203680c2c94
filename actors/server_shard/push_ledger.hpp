#pragma once

/// Which pushes of one worker were taken, so that each part is applied once however often it comes.
/// Parts may overtake each other within a bounded number of pushes.

#include "actors/error.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace gradmesh::server_shard {

class push_ledger {
public:
  /// Pushes that may be open beside the oldest.
  static constexpr std::uint64_t pushes_ahead_max = 64;

  /// `first`: the number of the first push.
  explicit push_ledger(std::uint64_t first) : next_(first) {}

  /// Every push before this one is complete.
  std::uint64_t completed() const { return next_; }

  /// Whether a part was taken before. Errors: `refused` if the push is too far ahead of the oldest
  /// that is not complete, or its number of parts is not what it was.
  result<bool> has(std::uint64_t sequence, std::uint32_t part, std::uint32_t count) const;

  /// Takes note of a part that it does not have. True if that completes the push.
  bool add(std::uint64_t sequence, std::uint32_t part, std::uint32_t count);

private:
  struct open_push {
    std::vector<bool> taken; // by part
    std::uint32_t missing = 0;
  };

  std::uint64_t next_;
  std::map<std::uint64_t, open_push> open_;
};

} // namespace gradmesh::server_shard
