#pragma once

/// How floats travel: as they are, or in fewer bits, chosen by the job for all its pushes and
/// pulls.
///
/// | format | bytes a float | error of a value |
/// |---|---|---|
/// | float32 | 4 | none |
/// | float16 | 2 | 2^-11 of it (2^-25 below 2^-14); at most 65504 |
/// | bfloat16 | 2 | 2^-8 of it |
/// | int8 | 1 + 1/64 | 1/254 of the largest magnitude in its group |
///
/// A run of floats is cut into groups of `group_floats`, the last one shorter, and their encodings
/// follow one another, so that a run may be encoded and decoded piece by piece where the pieces
/// begin with a group. An int8 group is a float32, its scale, and then a signed byte for each
/// value, which stands for byte x scale; the scale is the largest magnitude / 127. A group without
/// any magnitude from 2^-100 on becomes zeros. All is little-endian.
///
/// All formats round to nearest, ties to even; a finite value stays finite, one that is too large
/// becomes the largest of its sign. Infinity and NaN pass through the float formats as they are, so
/// that the receiver sees them; int8 has none and refuses them. Every instruction set gives the
/// same bits.

#include "actors/error.hpp"
#include "actors/parameters/vector_loop.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace gradmesh::parameters {

/// Stable numbers: they travel.
enum class transfer_format : std::uint8_t { float32 = 0, float16 = 1, bfloat16 = 2, int8 = 3 };

std::string_view to_string(transfer_format format);
/// By its name. `errc::invalid_argument` for another.
result<transfer_format> transfer_format_of(std::string_view name);

inline constexpr std::size_t group_floats = 256;

/// Bytes that so many floats take.
std::size_t encoded_bytes(transfer_format format, std::size_t floats);

/// Fills `out`, which has `encoded_bytes(format, in.size())` bytes. `errc::invalid_argument` if it
/// has not, and for int8 if a value is not finite.
result<void> encode(transfer_format format, std::span<const float> in, std::span<std::byte> out,
                    instruction_set set = best_instruction_set());

/// The way back, for bytes from anywhere: any bytes are a value of the float formats, and what they
/// decode to may be infinite or NaN. `errc::malformed_message` if the number of bytes is not
/// `encoded_bytes(format, out.size())`, or the scale of an int8 group is negative, NaN or above
/// 2^120; `out` is unspecified then.
result<void> decode(transfer_format format, std::span<const std::byte> in, std::span<float> out,
                    instruction_set set = best_instruction_set());

} // namespace gradmesh::parameters
