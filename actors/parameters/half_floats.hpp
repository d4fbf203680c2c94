#pragma once

/// float32 to and from the two 16-bit formats: float16 (IEEE 754 binary16: 5 bits of exponent, 10
/// of mantissa) and bfloat16 (the upper half of a float32).
///
/// Rounds to nearest, ties to even. A finite value stays finite: what is too large becomes the
/// largest value of its sign. Infinity and NaN stay what they are (a NaN becomes a quiet one and
/// keeps the bits of its payload that fit). Every instruction set gives the same bits.

#include "actors/parameters/vector_loop.hpp"

#include <cstddef>
#include <cstdint>

namespace gradmesh::parameters {

/// `count` values each; `from` and `to` do not overlap and need no alignment beyond their type's.
void to_float16(const float* from, std::size_t count, std::uint16_t* to,
                instruction_set set = best_instruction_set());
void from_float16(const std::uint16_t* from, std::size_t count, float* to,
                  instruction_set set = best_instruction_set());
void to_bfloat16(const float* from, std::size_t count, std::uint16_t* to,
                 instruction_set set = best_instruction_set());
void from_bfloat16(const std::uint16_t* from, std::size_t count, float* to,
                   instruction_set set = best_instruction_set());

} // namespace gradmesh::parameters
