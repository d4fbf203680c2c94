#include "actors/parameters/gradient_sum.hpp"

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

/// out = the tree sum of elements [first, first + n) of the parts, n <= block_floats. An empty part
/// is absent; false if all are.
bool sum_block(std::span<const std::span<const float>> parts, std::size_t first, std::size_t n,
               float* __restrict out) {
  if (parts.size() == 1) {
    if (parts[0].empty()) return false;
    std::copy_n(parts[0].data() + first, n, out);
    return true;
  }
  const auto half = std::bit_floor(parts.size() - 1);
  std::array<float, block_floats> other;
  const bool left = sum_block(parts.first(half), first, n, out);
  const bool right = sum_block(parts.subspan(half), first, n, left ? other.data() : out);
  if (left && right)
    for (std::size_t i = 0; i < n; ++i)
      out[i] += other[i];
  return left || right;
}

} // namespace

gradient_sum::gradient_sum(std::vector<std::size_t> row_widths)
    : row_widths_(std::move(row_widths)),
      floats_per_key_(std::accumulate(row_widths_.begin(), row_widths_.end(), std::size_t{0})) {}

result<void> gradient_sum::check(std::span<const gradient> parts) const {
  const auto dense_floats = [](const gradient& part) { return part.dense.size(); };
  std::size_t want = 0;
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    const auto& part = parts[rank];
    if (part.has_dense && want == 0) want = dense_floats(part);
    if (dense_floats(part) != (part.has_dense ? want : 0))
      return {errc::invalid_argument,
              fmt::format("gradient {} of {} has {} dense floats, but the others have {}", rank,
                          parts.size(), dense_floats(part), want)};
    if (part.keys.size() >= no_row || part.rows.size() != part.keys.size() * floats_per_key_)
      return {errc::invalid_argument,
              fmt::format("gradient {} of {} has {} row floats for {} keys, expected {}", rank,
                          parts.size(), part.rows.size(), part.keys.size(),
                          part.keys.size() * floats_per_key_)};
  }
  return {};
}

result<gradient> gradient_sum::add(std::span<const gradient> parts) {
  if (auto ok = check(parts); !ok) return ok.failure();
  if (parts.empty()) return gradient{};
  if (parts.size() == 1) return parts[0];

  gradient total = sum_sparse(parts);
  total.has_dense =
      std::any_of(parts.begin(), parts.end(), [](const gradient& part) { return part.has_dense; });
  total.dense = sum_dense(parts);
  return total;
}

std::span<const float> gradient_sum::sum_dense(std::span<const gradient> parts) {
  std::vector<std::span<const float>> dense;
  std::size_t size = 0;
  for (const auto& part : parts) {
    dense.push_back(part.dense);
    size = std::max(size, part.dense.size());
  }
  dense_.resize(size);
  for (std::size_t first = 0; first < size; first += block_floats)
    sum_block(dense, first, std::min(block_floats, size - first), dense_.data() + first);
  return dense_;
}

gradient gradient_sum::sum_sparse(std::span<const gradient> parts) {
  if (merged_.size() < parts.size() - 1) merged_.resize(parts.size() - 1);
  std::size_t merges = 0;
  std::vector<gradient> level(parts.begin(), parts.end());
  while (level.size() > 1) {
    std::vector<gradient> next;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2)
      next.push_back(merge(level[i], level[i + 1], merged_[merges++]));
    if (level.size() % 2 == 1) next.push_back(level.back());
    level = std::move(next);
  }
  return level[0];
}

gradient gradient_sum::merge(const gradient& left, const gradient& right, sparse_part& out) {
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
  return {.has_dense = false, .dense = {}, .keys = out.keys, .rows = out.rows};
}

} // namespace gradmesh::parameters
