#include "actors/parameters/row_arena.hpp"

#include <algorithm>
#include <bit>

namespace gradmesh::parameters {

namespace {

/// 4 MiB, so that a chunk has room for a huge page whatever a row takes. A row that takes more has
/// a chunk to itself.
constexpr std::size_t chunk_floats = 1024 * 1024;
/// After this much of a row the hardware has noticed the stream by itself.
constexpr std::size_t prefetch_floats_max = 256;
constexpr std::size_t cache_line_floats = 16;

} // namespace

row_arena::row_arena(std::size_t row_floats)
    : row_floats_(row_floats),
      chunk_shift_(static_cast<unsigned>(
          std::bit_width(std::max<std::size_t>(1, chunk_floats / row_floats)) - 1)),
      chunk_mask_((1U << chunk_shift_) - 1) {
  reach(0);
}

void row_arena::reach(std::uint32_t number) {
  while (number >> chunk_shift_ >= chunks_.size())
    chunks_.emplace_back((row_floats_ << chunk_shift_) * sizeof(float));
}

void row_arena::locate(std::span<const std::uint32_t> numbers, std::size_t floats,
                       float** rows) const {
  const auto last = std::min(floats, prefetch_floats_max) - 1;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    rows[i] = row(numbers[i]);
    for (std::size_t f = 0; f < last; f += cache_line_floats)
      __builtin_prefetch(rows[i] + f);
    __builtin_prefetch(rows[i] + last);
  }
}

} // namespace gradmesh::parameters
