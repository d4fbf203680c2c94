#pragma once

/// A worker's cutting of what a step needs by the shard that owns it, and the way back: the values
/// of the shards' answers into the step's parameters, the step's gradients into values to push.
///
/// Used by one thread at a time. Sizes are the caller's duty (they come from `part_floats`, and a
/// peer's frame is checked against it before it comes here).

#include "actors/learning/table.hpp"
#include "actors/parameters/body_layout.hpp"
#include "actors/parameters/part.hpp"
#include "actors/parameters/partition_map.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::parameters {

/// What one shard owns of a step's parameters.
struct slice {
  /// [dense_first, dense_last) of the flat dense space.
  std::uint64_t dense_first = 0;
  std::uint64_t dense_last = 0;
  /// Strictly ascending.
  std::vector<std::uint64_t> keys;
  /// Where each of `keys` stands in the step's key list.
  std::vector<std::uint32_t> positions;
  /// What is asked for and answered one by one.
  std::vector<part> parts;
};

class slicer {
public:
  /// `tables` have passed `check_tables`; their dense size is the map's.
  slicer(std::span<const learning::table_spec> tables, partition_map map);

  const partition_map& map() const { return map_; }
  const body_layout& layout() const { return layout_; }

  /// One slice for each shard, by shard. `keys`: strictly ascending, at most 2^32 - 1.
  std::vector<slice> cut(std::span<const std::uint64_t> keys) const;

  /// Copies the values of a part, which a shard sent, to their places in the step's parameters.
  void scatter(const slice& of, const part& p, std::span<const float> values,
               const learning::gradient_view& parameters) const;

  /// Fills in the values of a part from the step's gradients.
  void gather(const slice& of, const part& p, const learning::parameter_view& gradients,
              std::span<float> values) const;

private:
  body_layout layout_;
  partition_map map_;
};

} // namespace gradmesh::parameters
