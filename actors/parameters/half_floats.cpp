#include "actors/parameters/half_floats.hpp"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gradmesh::parameters {

namespace {

constexpr std::uint32_t infinity = 0x7f800000U;
constexpr std::uint32_t sign_bit = 0x80000000U;
constexpr std::uint32_t quiet_bit = 0x00400000U;

/// The least magnitude that would be rounded to infinity: 65520, halfway between the largest
/// float16, 65504, and what would come next.
constexpr std::uint32_t float16_overflow = 0x477ff000U;
constexpr std::uint32_t float16_normal = 0x38800000U; // 2^-14, the least normal float16

[[gnu::always_inline]] inline std::uint16_t float16_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto magnitude = bits & ~sign_bit;
  const auto sign = (bits & sign_bit) >> 16;
  std::uint32_t half = 0;
  if (magnitude > infinity) {
    half = 0x7e00U | ((magnitude >> 13) & 0x3ffU);
  } else if (magnitude == infinity) {
    half = 0x7c00U;
  } else if (magnitude >= float16_overflow) {
    half = 0x7bffU;
  } else if (magnitude >= float16_normal) {
    const auto odd = (magnitude >> 13) & 1U;
    half = (magnitude - 0x38000000U + 0xfffU + odd) >> 13; // the exponent's bias: 127 - 15 = 112
  } else {
    // 0.5 has a mantissa whose last bit is worth 2^-24, as that of a subnormal float16: the
    // addition rounds as it must.
    const auto sum = std::bit_cast<float>(magnitude) + 0.5F;
    half = std::bit_cast<std::uint32_t>(sum) - 0x3f000000U;
  }
  return static_cast<std::uint16_t>(sign | half);
}

[[gnu::always_inline]] inline float of_float16(std::uint16_t half) {
  const auto sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const auto magnitude = static_cast<std::uint32_t>(half & 0x7fffU);
  std::uint32_t bits = 0;
  if (magnitude > 0x7c00U) {
    bits = infinity | quiet_bit | (magnitude << 13);
  } else if (magnitude == 0x7c00U) {
    bits = infinity;
  } else if (magnitude >= 0x400U) {
    bits = (magnitude << 13) + 0x38000000U;
  } else {
    // Exact: a subnormal float16 is a small multiple of 2^-24.
    bits = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  }
  return std::bit_cast<float>(sign | bits);
}

void to_float16_portable(const float* from, std::size_t count, std::uint16_t* to) {
  for (std::size_t i = 0; i < count; ++i)
    to[i] = float16_of(from[i]);
}

void from_float16_portable(const std::uint16_t* from, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; ++i)
    to[i] = of_float16(from[i]);
}

#if defined(__x86_64__)
constexpr int to_nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
constexpr std::size_t lanes = 8;

/// Eight at a time by the instructions of F16C, which the sets from AVX2 up include. They differ
/// from the portable code in the overflow only, which is rare.
__attribute__((target("avx2,f16c"))) void to_float16_f16c(const float* from, std::size_t count,
                                                          std::uint16_t* to) {
  const auto magnitude_mask = _mm256_set1_epi32(static_cast<int>(~sign_bit));
  const auto below_overflow = _mm256_set1_epi32(static_cast<int>(float16_overflow - 1));
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto values = _mm256_loadu_ps(from + i);
    const auto magnitude = _mm256_and_si256(_mm256_castps_si256(values), magnitude_mask);
    if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(magnitude, below_overflow)) != 0)
      to_float16_portable(from + i, lanes, to + i);
    else
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), _mm256_cvtps_ph(values, to_nearest));
  }
  to_float16_portable(from + i, count - i, to + i);
}

__attribute__((target("avx2,f16c"))) void from_float16_f16c(const std::uint16_t* from,
                                                            std::size_t count, float* to) {
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    _mm256_storeu_ps(to + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  from_float16_portable(from + i, count - i, to + i);
}
#endif

} // namespace

void to_float16(const float* from, std::size_t count, std::uint16_t* to, instruction_set set) {
#if defined(__x86_64__)
  if (set >= instruction_set::avx2) return to_float16_f16c(from, count, to);
#endif
  (void)set;
  to_float16_portable(from, count, to);
}

void from_float16(const std::uint16_t* from, std::size_t count, float* to, instruction_set set) {
#if defined(__x86_64__)
  if (set >= instruction_set::avx2) return from_float16_f16c(from, count, to);
#endif
  (void)set;
  from_float16_portable(from, count, to);
}

void to_bfloat16(const float* from, std::size_t count, std::uint16_t* to, instruction_set set) {
  for_each_index(set, count, [=](std::size_t i) GRADMESH_LOOP_BODY {
    constexpr std::uint32_t overflow = 0x7f7f8000U; // halfway from the largest to the next
    const auto bits = std::bit_cast<std::uint32_t>(from[i]);
    const auto magnitude = bits & ~sign_bit;
    const auto odd = (bits >> 16) & 1U;
    auto rounded = (bits + 0x7fffU + odd) >> 16;
    rounded = magnitude >= overflow ? (bits & sign_bit) >> 16 | 0x7f7fU : rounded;
    rounded = magnitude >= infinity ? bits >> 16 : rounded;
    rounded = magnitude > infinity ? rounded | 0x40U : rounded;
    to[i] = static_cast<std::uint16_t>(rounded);
  });
}

void from_bfloat16(const std::uint16_t* from, std::size_t count, float* to, instruction_set set) {
  for_each_index(set, count, [=](std::size_t i) GRADMESH_LOOP_BODY {
    const auto bits = static_cast<std::uint32_t>(from[i]) << 16;
    const bool is_nan = (bits & ~sign_bit) > infinity;
    to[i] = std::bit_cast<float>(is_nan ? bits | quiet_bit : bits);
  });
}

} // namespace gradmesh::parameters
