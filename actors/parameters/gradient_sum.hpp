#pragma once

/// Sums of gradients that come out the same, bit for bit, whoever adds which part of them.
///
/// Float addition is not associative, so the order is fixed: a binary tree over the gradients in
/// rank order, ((0 + 1) + (2 + 3)) + ..., where an odd one out is carried up to the next level. If
/// workers sum aligned sub-trees (runs of 2^k leaves that begin at a multiple of 2^k) and the
/// server sums the workers, the tree as a whole is the same. The tree of [0, n) is the tree of [0,
/// h) plus the tree of [h, n), h being the largest power of two below n.
///
/// A key (or a dense part) that only one side has is taken as it is.

#include "actors/parameters/body_layout.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradmesh::parameters {

/// Rows of all sparse tables for some keys: what `gradient` has of them.
struct sparse_gradient {
  /// Strictly ascending.
  std::span<const std::uint64_t> keys;
  /// For each sparse table in declaration order keys x width, row-major.
  std::span<const float> rows;
};

/// out = the sum of one run of dense gradients (a block of them, say) that all parts have or lack;
/// a part that lacks it is empty. `errc::invalid_argument` if a part has another size than `out`,
/// or all lack it. Any cutting of the dense parameters into runs gives the same bits.
result<void> sum_dense(std::span<const std::span<const float>> by_rank, std::span<float> out);

class gradient_sum {
public:
  explicit gradient_sum(std::vector<std::size_t> row_widths);

  /// The sum of `parts` in their order; no part at all gives an empty gradient. A single part comes
  /// back as it is, without a copy; any other result lives in this object until the next `add`.
  /// `errc::invalid_argument` if sizes do not fit together: dense parts of different lengths, or
  /// rows that are not keys x widths. Keys must be strictly ascending (the store checks it).
  result<gradient> add(std::span<const gradient> parts);

  /// The sparse half of `add`.
  result<sparse_gradient> sum_sparse(std::span<const sparse_gradient> by_rank);

private:
  /// Where a merged row comes from.
  struct origin {
    std::uint32_t left = 0;
    std::uint32_t right = 0;
  };
  struct sparse_part {
    std::vector<std::uint64_t> keys;
    std::vector<float> rows;
  };
  result<void> check_rows(std::size_t rank, std::size_t parts, const sparse_gradient& part) const;
  sparse_gradient merge(const sparse_gradient& left, const sparse_gradient& right,
                        sparse_part& out);

  std::vector<std::size_t> row_widths_;
  std::size_t floats_per_key_ = 0;
  // Kept from sum to sum, so that a steady stream of equal sizes allocates nothing.
  std::vector<float> dense_;
  std::vector<sparse_part> merged_; // one for each inner node of the tree
  std::vector<origin> origins_;
};

} // namespace gradmesh::parameters
