#include "actors/parameters/finite.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace gradmesh::parameters {

namespace {

/// Not 0 if the value is infinite or NaN. Looks at the bits, for which no compiler option and no
/// rounding mode matters: adding one to an exponent of all ones carries into the sign's place.
[[gnu::always_inline]] inline std::uint32_t not_finite(float value) {
  constexpr std::uint32_t exponent = 0x7f800000U;
  constexpr std::uint32_t one = 0x00800000U;
  return ((std::bit_cast<std::uint32_t>(value) & exponent) + one) & 0x80000000U;
}

} // namespace

bool all_finite(std::span<const float> values, instruction_set set) {
  const float* value = values.data();
  return !any_of_indices(set, values.size(),
                         [=](std::size_t i) GRADMESH_LOOP_BODY { return not_finite(value[i]); });
}

std::size_t first_not_finite(std::span<const float> values) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [](float value) { return not_finite(value) != 0; });
  return static_cast<std::size_t>(found - values.begin());
}

} // namespace gradmesh::parameters
