#pragma once

/// The values (without optimizer state) of one partition, as a shard exports them: what a saved
/// model is put together from.

#include <cstdint>
#include <vector>

namespace gradmesh::parameters {

/// Rows of one sparse table.
struct table_rows {
  /// Strictly ascending.
  std::vector<std::uint64_t> keys;
  /// keys x width, row-major.
  std::vector<float> rows;

  bool operator==(const table_rows&) const = default;
};

struct partition_content {
  std::uint32_t partition = 0;
  /// Where `dense` begins in the flat dense space.
  std::uint64_t dense_first = 0;
  std::vector<float> dense;
  /// By sparse table in declaration order; only rows that were updated at least once.
  std::vector<table_rows> sparse;

  bool operator==(const partition_content&) const = default;
};

} // namespace gradmesh::parameters
