#pragma once

/// Finds the distinct feature indices of a batch: what a step pulls. Runs for every batch, so it is
/// a radix sort over reused memory (about 4,000 indices in some tens of microseconds) instead of a
/// hash table, whose memory and order would need more thought.

#include "actors/learning/model.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::learning {

class unique_rows {
public:
  /// `keys`: the distinct values of `indices`, ascending; `rows`: for each of `indices`, in order,
  /// its position in `keys`. At most 2^32 - 1 indices.
  step_plan find(std::span<const std::uint32_t> indices);

private:
  void sort_entries(std::uint32_t largest_index);

  /// (index, position in the batch), the index in the upper half.
  std::vector<std::uint64_t> entries_;
  std::vector<std::uint64_t> other_;
};

} // namespace gradmesh::learning
