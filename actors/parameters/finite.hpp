#pragma once

/// The one check that a gradient's values get: is any of them not a finite number?

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace gradmesh::parameters {

/// True if no value is infinite or NaN. Looks at the bits and has no early exit, so that the loop
/// is vectorised and runs at the speed of memory.
inline bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t exponent = 0x7f800000U;
  std::uint32_t found = 0;
  for (const float value : values)
    found |= (std::bit_cast<std::uint32_t>(value) & exponent) == exponent ? 1U : 0U;
  return found == 0;
}

/// Position of the first value that is not finite; `values.size()` if there is none.
inline std::size_t first_not_finite(std::span<const float> values) {
  std::size_t at = 0;
  while (at < values.size() && all_finite(values.subspan(at, 1)))
    ++at;
  return at;
}

} // namespace gradmesh::parameters
