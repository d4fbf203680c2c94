#include "actors/parameters/gradient_sum.hpp"

#include "actors/parameters/vector_loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

namespace gradmesh::parameters {

namespace {

/// Dense gradients are summed in blocks that stay in the first-level cache, partial sums included.
constexpr std::size_t block_floats = 1024;
constexpr std::uint32_t no_row = 0xffffffffU;

/// The tree sum of elements [first, first + n) of the parts, n <= block_floats: in `out`, or where
/// it lies already if one part alone has any. An empty part is absent; null if all are.
const float* sum_block(std::span<const std::span<const float>> parts, std::size_t first,
                       std::size_t n, float* out, instruction_set set) {
  if (parts.size() == 1) return parts[0].empty() ? nullptr : parts[0].data() + first;
  const auto half = std::bit_floor(parts.size() - 1);
  std::array<float, block_floats> other;
  const float* left = sum_block(parts.first(half), first, n, out, set);
  const float* right =
      sum_block(parts.subspan(half), first, n, left == out ? other.data() : out, set);
  if (!left || !right) return left ? left : right;
  for_each_index(set, n, [=](std::size_t i) GRADMESH_LOOP_BODY { out[i] = left[i] + right[i]; });
  return out;
}

/// The size of the dense parts that there are; they must not differ.
result<std::size_t> dense_floats(std::span<const gradient> parts) {
  std::size_t want = 0;
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    const auto& part = parts[rank];
    if (part.has_dense && want == 0) want = part.dense.size();
    if (part.dense.size() != (part.has_dense ? want : 0))
      return {errc::invalid_argument,
              fmt::format("gradient {} of {} has {} dense floats, but the others have {}", rank,
                          parts.size(), part.dense.size(), want)};
  }
  return want;
}

} // namespace

result<void> sum_dense(std::span<const std::span<const float>> by_rank, std::span<float> out) {
  bool some = out.empty();
  for (std::size_t rank = 0; rank < by_rank.size(); ++rank) {
    if (by_rank[rank].empty()) continue;
    some = true;
    if (by_rank[rank].size() != out.size())
      return {errc::invalid_argument,
              fmt::format("gradient {} of {} has {} dense floats, but {} are summed", rank,
                          by_rank.size(), by_rank[rank].size(), out.size())};
  }
  if (!some)
    return {errc::invalid_argument,
            fmt::format("none of {} gradients has the {} dense floats to sum", by_rank.size(),
                        out.size())};
  const auto set = best_instruction_set();
  for (std::size_t first = 0; first < out.size(); first += block_floats) {
    const auto n = std::min(block_floats, out.size() - first);
    float* to = out.data() + first;
    if (const float* sum = sum_block(by_rank, first, n, to, set); sum != to)
      std::copy_n(sum, n, to);
  }
  return {};
}

gradient_sum::gradient_sum(std::vector<std::size_t> row_widths)
    : row_widths_(std::move(row_widths)),
      floats_per_key_(std::accumulate(row_widths_.begin(), row_widths_.end(), std::size_t{0})) {}

result<gradient> gradient_sum::add(std::span<const gradient> parts) {
  const auto floats = dense_floats(parts);
  if (!floats) return floats.failure();
  gradient total;
  std::vector<std::span<const float>> dense;
  std::vector<sparse_gradient> sparse;
  for (const auto& part : parts) {
    total.has_dense |= part.has_dense;
    dense.push_back(part.dense);
    sparse.push_back({part.keys, part.rows});
  }
  const auto rows = sum_sparse(sparse);
  if (!rows) return rows.failure();
  if (parts.size() == 1) return parts[0];

  dense_.resize(*floats);
  if (auto ok = sum_dense(dense, dense_); !ok) return ok.failure();
  total.dense = dense_;
  total.keys = rows->keys;
  total.rows = rows->rows;
  return total;
}

result<void> gradient_sum::check_rows(std::size_t rank, std::size_t parts,
                                      const sparse_gradient& part) const {
  const auto want = part.keys.size() * floats_per_key_;
  if (part.keys.size() < no_row && part.rows.size() == want) return {};
  return {errc::invalid_argument,
          fmt::format("gradient {} of {} has {} row floats for {} keys, expected {}", rank, parts,
                      part.rows.size(), part.keys.size(), want)};
}

result<sparse_gradient> gradient_sum::sum_sparse(std::span<const sparse_gradient> by_rank) {
  for (std::size_t rank = 0; rank < by_rank.size(); ++rank)
    if (auto ok = check_rows(rank, by_rank.size(), by_rank[rank]); !ok) return ok.failure();
  if (by_rank.empty()) return sparse_gradient{};

  if (merged_.size() < by_rank.size() - 1) merged_.resize(by_rank.size() - 1);
  std::size_t merges = 0;
  std::vector<sparse_gradient> level(by_rank.begin(), by_rank.end());
  while (level.size() > 1) {
    std::vector<sparse_gradient> next;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2)
      next.push_back(merge(level[i], level[i + 1], merged_[merges++]));
    if (level.size() % 2 == 1) next.push_back(level.back());
    level = std::move(next);
  }
  return level[0];
}

sparse_gradient gradient_sum::merge(const sparse_gradient& left, const sparse_gradient& right,
                                    sparse_part& out) {
  out.keys.clear();
  origins_.clear();
  std::uint32_t l = 0;
  std::uint32_t r = 0;
  while (l < left.keys.size() || r < right.keys.size()) {
    const bool from_left =
        r == right.keys.size() || (l < left.keys.size() && left.keys[l] <= right.keys[r]);
    const bool from_right =
        l == left.keys.size() || (r < right.keys.size() && right.keys[r] <= left.keys[l]);
    out.keys.push_back(from_left ? left.keys[l] : right.keys[r]);
    origins_.push_back({from_left ? l++ : no_row, from_right ? r++ : no_row});
  }

  out.rows.resize(out.keys.size() * floats_per_key_);
  float* to = out.rows.data();
  const float* left_rows = left.rows.data();
  const float* right_rows = right.rows.data();
  for (const auto width : row_widths_) {
    for (const auto [left_row, right_row] : origins_) {
      if (left_row == no_row) {
        std::copy_n(right_rows + right_row * width, width, to);
      } else {
        std::copy_n(left_rows + left_row * width, width, to);
        if (right_row != no_row)
          for (std::size_t i = 0; i < width; ++i)
            to[i] += right_rows[right_row * width + i];
      }
      to += width;
    }
    left_rows += left.keys.size() * width;
    right_rows += right.keys.size() * width;
  }
  return {out.keys, out.rows};
}

} // namespace gradmesh::parameters
