#pragma once

/// Functions that give the same bits on every machine, which those of C libraries do not: they use
/// nothing but operations that IEEE 754 rounds. Without branches, so that loops over them can be
/// vectorised; bodies of loops may call them (GRADMESH_LOOP_BODY).

#include "actors/parameters/partition_map.hpp"
#include "actors/parameters/vector_loop.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace gradmesh::parameters {

/// base^exponent by squaring.
inline double power(double base, std::uint64_t exponent) {
  double result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}

/// ln x for a normal x > 0, with an absolute error below 1e-10: x = m 2^e with m near 1, and
/// ln m = 2 artanh((m - 1) / (m + 1)) as its series.
GRADMESH_LOOP_BODY inline double natural_log(double x) {
  // Counted from sqrt(1/2), so that m lies in [sqrt(1/2), sqrt(2)).
  constexpr std::uint64_t root_half = 0x3fe6a09e00000000U;
  const auto bits = std::bit_cast<std::uint64_t>(x) + (0x3ff0000000000000U - root_half);
  // The exponent as a double without a conversion: the bits of 2^52 + exponent, minus 2^52.
  const auto exponent = std::bit_cast<double>((bits >> 52) | 0x4330000000000000U) - 0x1p52 - 1023;
  const auto m = std::bit_cast<double>((bits & 0x000fffffffffffffU) + root_half);
  const double s = (m - 1) / (m + 1);
  const double q = s * s;
  const double series =
      1 + q * (1.0 / 3 +
               q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11 + q * (1.0 / 13))))));
  return exponent * std::numbers::ln2 + 2 * s * series;
}

/// cos(2 pi u) for u in [0, 1], with an absolute error below 1e-11: the series of the sine of the
/// distance to the next zero.
GRADMESH_LOOP_BODY inline double cosine_of_turn(double u) {
  const double from_middle = std::fabs(u - 0.5);
  const double y = 2 * std::numbers::pi * (from_middle - 0.25);
  const double q = y * y;
  const double series =
      1 + q * (-1.0 / 6 +
               q * (1.0 / 120 + q * (-1.0 / 5040 +
                                     q * (1.0 / 362880 + q * (-1.0 / 39916800 +
                                                              q * (1.0 / 6227020800 +
                                                                   q * (-1.0 / 1307674368000)))))));
  return y * series;
}

/// A number from the standard normal distribution that is a function of (stream, counter) alone:
/// any part of a stream can be had without the rest (Salmon, Moraes, Dror, Shaw: "Parallel random
/// numbers: as easy as 1, 2, 3", SC 2011), with `mix` as the function. Box, Muller: "A note on the
/// generation of random normal deviates", 1958. No value lies beyond 6.8.
GRADMESH_LOOP_BODY inline double normal_number(std::uint64_t stream, std::uint64_t counter) {
  const auto random = mix(stream + mix(counter));
  // 32 bits for each of two uniform numbers, as the upper bits of a fraction. The first is above 0.
  constexpr std::uint64_t one = 0x3ff0000000000000U;
  const auto radial = std::bit_cast<double>(one | ((random >> 32) << 20)) - 1 + 0x1p-33;
  const auto turn = std::bit_cast<double>(one | ((random & 0xffffffffU) << 20)) - 1;
  return std::sqrt(-2 * natural_log(radial)) * cosine_of_turn(turn);
}

} // namespace gradmesh::parameters
