#pragma once

/// A worker's cutting of what a step needs by the shard that owns it, and the way back: the bodies
/// of the shards' answers into the step's parameters, the step's gradients into bodies to push.
///
/// Used by one thread at a time. Sizes are the caller's duty (they come from `body_floats`, and a
/// peer's frame is checked against it before it comes here).

#include "actors/learning/table.hpp"
#include "actors/parameters/body_layout.hpp"
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

  std::size_t dense_floats() const { return static_cast<std::size_t>(dense_last - dense_first); }
};

class slicer {
public:
  /// `tables` have passed `check_tables`; their dense size is the map's.
  slicer(std::span<const learning::table_spec> tables, partition_map map);

  const partition_map& map() const { return map_; }
  const body_layout& layout() const { return layout_; }

  /// One slice for each shard, by shard. `keys`: strictly ascending, at most 2^32 - 1.
  std::vector<slice> cut(std::span<const std::uint64_t> keys) const;

  /// Floats in the body for this slice, in both directions; without its dense part where a push or
  /// a pull leaves that out.
  std::size_t body_floats(const slice& part, bool with_dense = true) const {
    return layout_.body_floats(with_dense ? part.dense_floats() : 0, part.keys.size());
  }

  /// Copies a shard's body to its places in the step's parameters. A body of
  /// `body_floats(part, false)` floats leaves the dense parameters as they are.
  void scatter(const slice& part, std::span<const float> body,
               const learning::gradient_view& parameters) const;

  /// Fills a shard's body from the step's gradients. A body of `body_floats(part, false)` floats
  /// gets the sparse rows only.
  void gather(const slice& part, const learning::parameter_view& gradients,
              std::span<float> body) const;

private:
  body_layout layout_;
  partition_map map_;
};

} // namespace gradmesh::parameters
