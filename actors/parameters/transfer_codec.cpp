#include "actors/parameters/transfer_codec.hpp"

#include "actors/parameters/finite.hpp"
#include "actors/parameters/half_floats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace gradmesh::parameters {

namespace {

constexpr std::array<std::string_view, 4> names{"float32", "float16", "bfloat16", "int8"};

constexpr std::size_t group_bytes = sizeof(float) + group_floats;
constexpr float steps = 127;
/// 127 times it is finite.
constexpr float scale_max = 0x1p120F;
/// Below it 127 / magnitude comes near infinity.
constexpr float magnitude_min = 0x1p-100F;
constexpr std::uint32_t infinity = 0x7f800000U;

/// Encodes one group; 0, or 1 if a value is not finite.
[[gnu::always_inline]] inline std::uint32_t encode_group(const float* in, std::size_t n,
                                                         std::byte* out) {
  std::uint32_t largest = 0; // finite floats are ordered as the bits of their magnitudes
  for (std::size_t i = 0; i < n; ++i)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(in[i]) & 0x7fffffffU);
  const auto magnitude = std::bit_cast<float>(largest);
  const bool is_zero = magnitude < magnitude_min;
  const float scale = is_zero ? 0 : std::min(magnitude / steps, scale_max);
  const float inverse = is_zero ? 0 : steps / magnitude;
  std::memcpy(out, &scale, sizeof scale);
  auto* to = reinterpret_cast<std::int8_t*>(out + sizeof scale);
  for (std::size_t i = 0; i < n; ++i) {
    // Added to this number, a float of that size is rounded to a whole one, which the lower bits of
    // the sum are.
    constexpr float whole = 0x1.8p23F;
    to[i] = static_cast<std::int8_t>(std::bit_cast<std::int32_t>(in[i] * inverse + whole));
  }
  return largest >= infinity ? 1U : 0U;
}

/// 0, or 1 if the scale is none.
[[gnu::always_inline]] inline std::uint32_t decode_group(const std::byte* in, std::size_t n,
                                                         float* out) {
  float scale = 0;
  std::memcpy(&scale, in, sizeof scale);
  const auto* from = reinterpret_cast<const std::int8_t*>(in + sizeof scale);
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(from[i]) * scale;
  return scale >= 0 && scale <= scale_max ? 0U : 1U;
}

error not_finite(std::span<const float> in) {
  const auto at = first_not_finite(in);
  return {errc::invalid_argument,
          fmt::format("value {} of {} is {}, which int8 cannot carry; lower the learning rate or "
                      "look for such values in the data",
                      at, in.size(), in[at])};
}

error bad_scale(std::span<const std::byte> in) {
  for (std::size_t group = 0;; ++group) {
    float scale = 0;
    std::memcpy(&scale, in.data() + group * group_bytes, sizeof scale);
    if (!(scale >= 0 && scale <= scale_max))
      return {errc::malformed_message,
              fmt::format("the scale of int8 group {} is {}; it must lie between 0 and 2^120: the "
                          "sender is not of this version",
                          group, scale)};
  }
}

bool encode_int8(std::span<const float> in, std::byte* out, instruction_set set) {
  const auto whole = in.size() / group_floats;
  const auto rest = in.size() % group_floats;
  const float* from = in.data();
  bool bad = any_of_indices(set, whole, [=](std::size_t group) GRADMESH_LOOP_BODY {
    return encode_group(from + group * group_floats, group_floats, out + group * group_bytes);
  });
  if (rest != 0)
    bad |= encode_group(from + whole * group_floats, rest, out + whole * group_bytes) != 0;
  return !bad;
}

bool decode_int8(const std::byte* in, std::span<float> out, instruction_set set) {
  const auto whole = out.size() / group_floats;
  const auto rest = out.size() % group_floats;
  float* to = out.data();
  bool bad = any_of_indices(set, whole, [=](std::size_t group) GRADMESH_LOOP_BODY {
    return decode_group(in + group * group_bytes, group_floats, to + group * group_floats);
  });
  if (rest != 0)
    bad |= decode_group(in + whole * group_bytes, rest, to + whole * group_floats) != 0;
  return !bad;
}

} // namespace

std::string_view to_string(transfer_format format) {
  return names[static_cast<std::size_t>(format)];
}

result<transfer_format> transfer_format_of(std::string_view name) {
  const auto* const found = std::ranges::find(names, name);
  if (found == names.end())
    return {
        errc::invalid_argument,
        fmt::format("unknown transfer format '{}'; use float32, float16, bfloat16 or int8", name)};
  return static_cast<transfer_format>(found - names.begin());
}

std::size_t encoded_bytes(transfer_format format, std::size_t floats) {
  switch (format) {
  case transfer_format::float32:
    return floats * sizeof(float);
  case transfer_format::float16:
  case transfer_format::bfloat16:
    return floats * sizeof(std::uint16_t);
  case transfer_format::int8:
    break;
  }
  return floats + (floats + group_floats - 1) / group_floats * sizeof(float);
}

result<void> encode(transfer_format format, std::span<const float> in, std::span<std::byte> out,
                    instruction_set set) {
  if (out.size() != encoded_bytes(format, in.size()))
    return {errc::invalid_argument,
            fmt::format("{} bytes to encode {} floats as {} into, expected {}", out.size(),
                        in.size(), to_string(format), encoded_bytes(format, in.size()))};
  auto* halves = reinterpret_cast<std::uint16_t*>(out.data());
  switch (format) {
  case transfer_format::float32:
    if (!in.empty()) std::memcpy(out.data(), in.data(), out.size());
    return {};
  case transfer_format::float16:
    to_float16(in.data(), in.size(), halves, set);
    return {};
  case transfer_format::bfloat16:
    to_bfloat16(in.data(), in.size(), halves, set);
    return {};
  case transfer_format::int8:
    break;
  }
  if (!encode_int8(in, out.data(), set)) return not_finite(in);
  return {};
}

result<void> decode(transfer_format format, std::span<const std::byte> in, std::span<float> out,
                    instruction_set set) {
  if (in.size() != encoded_bytes(format, out.size()))
    return {errc::malformed_message,
            fmt::format("{} bytes that stand for {} floats as {}, expected {}: sender and receiver "
                        "disagree about the job's tables; submit the job again",
                        in.size(), out.size(), to_string(format),
                        encoded_bytes(format, out.size()))};
  const auto* halves = reinterpret_cast<const std::uint16_t*>(in.data());
  switch (format) {
  case transfer_format::float32:
    if (!in.empty()) std::memcpy(out.data(), in.data(), in.size());
    return {};
  case transfer_format::float16:
    from_float16(halves, out.size(), out.data(), set);
    return {};
  case transfer_format::bfloat16:
    from_bfloat16(halves, out.size(), out.data(), set);
    return {};
  case transfer_format::int8:
    break;
  }
  if (!decode_int8(in.data(), out, set)) return bad_scale(in);
  return {};
}

} // namespace gradmesh::parameters
