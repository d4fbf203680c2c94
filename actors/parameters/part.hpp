#pragma once

/// The unit of pulls and pushes: see "Part" in schema/parameters.capnp. Worker and shard cut what a
/// shard holds by the same rule.

#include "actors/parameters/dense_blocks.hpp"
#include "actors/parameters/key_cache.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gradmesh::parameters {

/// A block of a shard's dense range, or a run of a slice's keys.
struct part {
  bool dense = false;
  /// Dense: which block.
  std::uint32_t block = 0;
  /// Dense: of the shard's dense range. Otherwise: of the slice's key list.
  element_range elements;
  /// Of the keys of a run.
  key_list_name keys{};
};

/// Values and keys of a run take no more than this, unless a single row does.
inline constexpr std::size_t run_bytes_max = 1u << 20;

/// Parts up to this size share a message, for which they are copied.
inline constexpr std::size_t shared_part_bytes_max = 64u << 10;
/// Up to these many, and so much of keys and values, as much as two blocks: then what a message
/// costs both ends (system calls, wake-ups, its answer) is little beside its bytes. Of tiny parts a
/// longer message would keep the other end waiting for work.
inline constexpr std::size_t shared_bytes_max = 2 * dense_block_floats * sizeof(float);
inline constexpr std::size_t shared_parts_max = 1024;

/// All parts of what one shard is asked for: its blocks, then the runs of `keys` keys with
/// `floats_per_key` floats each. At least one part, if need be an empty run.
inline std::vector<part> parts_of(std::uint64_t dense_floats, std::uint64_t keys,
                                  std::size_t floats_per_key) {
  std::vector<part> parts;
  for (std::uint64_t first = 0; first < dense_floats; first += dense_block_floats)
    parts.push_back({true,
                     static_cast<std::uint32_t>(first / dense_block_floats),
                     {first, std::min(first + dense_block_floats, dense_floats)}});
  const std::uint64_t run = std::max<std::size_t>(
      1, run_bytes_max / (sizeof(std::uint64_t) + sizeof(float) * floats_per_key));
  for (std::uint64_t first = 0; first < keys; first += run)
    parts.push_back({false, 0, {first, std::min(first + run, keys)}});
  if (parts.empty()) parts.push_back({});
  return parts;
}

/// Floats of a part's values.
inline std::size_t part_floats(const part& p, std::size_t floats_per_key) {
  return static_cast<std::size_t>(p.elements.size()) * (p.dense ? 1 : floats_per_key);
}

} // namespace gradmesh::parameters
