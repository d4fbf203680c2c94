#pragma once

/// The body of a pull's answer and of a push, which are laid out alike: what one shard holds of the
/// dense tables, then for each sparse table in declaration order its rows in key order. All are
/// float32 without padding. Worker and shard compute the sizes by this one class.
///
/// Limits: see `check_tables`; within them no size computed here overflows.

#include "actors/error.hpp"
#include "actors/learning/table.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::parameters {

inline constexpr std::size_t tables_max = 256;
inline constexpr std::size_t table_name_bytes_max = 256;
inline constexpr std::uint64_t row_floats_max = 1U << 20;
inline constexpr std::uint64_t dense_floats_max = 1ULL << 40;

/// Refuses tables that are outside the limits above, have no name or no width, share a name, or
/// have a wrong limit of initial values: `errc::invalid_argument`.
result<void> check_tables(std::span<const learning::table_spec> tables);

/// Part of the parameters or of the gradients: a view, valid as long as the memory it looks at.
struct gradient {
  /// False: nothing is said about the dense parameters (not: their gradient is zero).
  bool has_dense = false;
  /// The shard's dense range; empty unless `has_dense`.
  std::span<const float> dense;
  /// Strictly ascending.
  std::span<const std::uint64_t> keys;
  /// For each sparse table in declaration order keys x width, row-major.
  std::span<const float> rows;
};

class body_layout {
public:
  /// `tables` have passed `check_tables`.
  explicit body_layout(std::span<const learning::table_spec> tables);

  /// Floats in a row of each sparse table, in declaration order.
  const std::vector<std::size_t>& row_widths() const { return row_widths_; }
  /// Floats that one key takes in all sparse tables together.
  std::size_t floats_per_key() const { return floats_per_key_; }
  /// Floats in a body with that many dense parameters and keys.
  std::size_t body_floats(std::size_t dense_floats, std::size_t keys) const {
    return dense_floats + keys * floats_per_key_;
  }

private:
  std::vector<std::size_t> row_widths_;
  std::size_t floats_per_key_ = 0;
};

} // namespace gradmesh::parameters
