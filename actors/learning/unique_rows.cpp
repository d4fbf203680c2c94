#include "actors/learning/unique_rows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <utility>

namespace gradmesh::learning {

namespace {

constexpr unsigned digit_bits = 11; // a histogram of 16 KiB, and two passes for 2^22 features
constexpr std::size_t digits = std::size_t{1} << digit_bits;

} // namespace

step_plan unique_rows::find(std::span<const std::uint32_t> indices) {
  step_plan plan;
  if (indices.empty()) return plan;
  entries_.resize(indices.size());
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    entries_[i] = std::uint64_t{indices[i]} << 32 | i;
    largest = std::max(largest, indices[i]);
  }
  sort_entries(largest);

  plan.keys.reserve(indices.size());
  plan.rows.resize(indices.size());
  for (const auto entry : entries_) {
    const auto index = entry >> 32;
    if (plan.keys.empty() || plan.keys.back() != index) plan.keys.push_back(index);
    plan.rows[static_cast<std::uint32_t>(entry)] = static_cast<std::uint32_t>(plan.keys.size() - 1);
  }
  return plan;
}

/// Least significant digit first; each pass keeps the order of equal digits.
void unique_rows::sort_entries(std::uint32_t largest_index) {
  other_.resize(entries_.size());
  const unsigned end = 32 + static_cast<unsigned>(std::bit_width(largest_index));
  for (unsigned shift = 32; shift < end; shift += digit_bits) {
    std::array<std::size_t, digits> next{};
    for (const auto entry : entries_)
      ++next[entry >> shift & (digits - 1)];
    std::size_t begin = 0;
    for (auto& slot : next)
      begin += std::exchange(slot, begin);
    for (const auto entry : entries_)
      other_[next[entry >> shift & (digits - 1)]++] = entry;
    entries_.swap(other_);
  }
}

} // namespace gradmesh::learning
