#include "actors/parameters/transfer_codec.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace gradmesh;
using namespace gradmesh::parameters;

namespace {

constexpr transfer_format formats[]{transfer_format::float32, transfer_format::float16,
                                    transfer_format::bfloat16, transfer_format::int8};
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<std::byte> code(transfer_format format, std::span<const float> values,
                            instruction_set set = best_instruction_set()) {
  std::vector<std::byte> bytes(encoded_bytes(format, values.size()));
  REQUIRE(encode(format, values, bytes, set));
  return bytes;
}

std::vector<float> values_of(transfer_format format, std::span<const std::byte> bytes,
                             std::size_t count, instruction_set set = best_instruction_set()) {
  std::vector<float> values(count);
  REQUIRE(decode(format, bytes, values, set));
  return values;
}

std::vector<float> random_values(std::mt19937& random, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (auto& value : values)
    value = normal(random);
  return values;
}

} // namespace

TEST_CASE("formats have names and sizes") {
  CHECK(encoded_bytes(transfer_format::float32, 1000) == 4000);
  CHECK(encoded_bytes(transfer_format::float16, 1000) == 2000);
  CHECK(encoded_bytes(transfer_format::bfloat16, 1000) == 2000);
  CHECK(encoded_bytes(transfer_format::int8, 0) == 0);
  CHECK(encoded_bytes(transfer_format::int8, 1) == 5);
  CHECK(encoded_bytes(transfer_format::int8, 256) == 260);
  CHECK(encoded_bytes(transfer_format::int8, 257) == 260 + 5);
  for (const auto format : formats) {
    const auto named = transfer_format_of(to_string(format));
    REQUIRE(named);
    CHECK(*named == format);
  }
  const auto unknown = transfer_format_of("float8");
  REQUIRE(!unknown);
  CHECK(unknown.failure().text.starts_with("unknown transfer format 'float8'; use float32"));
}

TEST_CASE("what comes back is as near as the format says") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (const std::size_t count : {0U, 1U, 255U, 256U, 257U, 5000U}) {
    CAPTURE(count);
    const auto values = random_values(random, count);
    CHECK(values_of(transfer_format::float32, code(transfer_format::float32, values), count) ==
          values);
    const auto half =
        values_of(transfer_format::float16, code(transfer_format::float16, values), count);
    const auto bfloat =
        values_of(transfer_format::bfloat16, code(transfer_format::bfloat16, values), count);
    const auto byte = values_of(transfer_format::int8, code(transfer_format::int8, values), count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto group = i / group_floats * group_floats;
      float largest = 0;
      for (std::size_t j = group; j < std::min(count, group + group_floats); ++j)
        largest = std::max(largest, std::abs(values[j]));
      const auto magnitude = std::abs(values[i]);
      REQUIRE(std::abs(half[i] - values[i]) <= std::max(magnitude * 0x1p-11F, 0x1p-25F));
      REQUIRE(std::abs(bfloat[i] - values[i]) <= magnitude * 0x1p-8F);
      REQUIRE(std::abs(byte[i] - values[i]) <= largest / 254 * 1.0001F);
    }
  }
}

TEST_CASE("an int8 group is its scale and the nearest multiples of it, ties to even") {
  const std::vector<float> values{127, -127, 0.5F, 1.5F, -0.5F, -1.5F, 2.5F, 0.49F, 126.6F, -0.0F};
  const auto bytes = code(transfer_format::int8, values);
  float scale = 0;
  std::memcpy(&scale, bytes.data(), sizeof scale);
  CHECK(scale == 1);
  std::vector<int> steps;
  for (std::size_t i = 4; i < bytes.size(); ++i)
    steps.push_back(static_cast<std::int8_t>(bytes[i]));
  CHECK(steps == std::vector<int>{127, -127, 0, 2, 0, -2, 2, 0, 127, 0});
}

TEST_CASE("int8 groups have scales of their own, and those without a magnitude become zeros") {
  std::vector<float> values(3 * group_floats, 0.0F);
  for (std::size_t i = 0; i < group_floats; ++i) {
    values[i] = 1e20F;
    values[2 * group_floats + i] = i == 0 ? 1e-31F : -1e-20F;
  }
  const auto back =
      values_of(transfer_format::int8, code(transfer_format::int8, values), values.size());
  for (std::size_t i = 0; i < group_floats; ++i) {
    REQUIRE(back[i] == doctest::Approx(1e20).epsilon(1e-6));
    REQUIRE(back[group_floats + i] == 0);
    REQUIRE(back[2 * group_floats + i] == doctest::Approx(i == 0 ? 0 : -1e-20).epsilon(1e-6));
  }
  const std::vector<float> tiny{0x1p-101F, -std::numeric_limits<float>::denorm_min()};
  CHECK(values_of(transfer_format::int8, code(transfer_format::int8, tiny), 2) ==
        std::vector<float>{0, 0});
  const std::vector<float> huge{std::numeric_limits<float>::max(),
                                -std::numeric_limits<float>::max()};
  const auto limited = values_of(transfer_format::int8, code(transfer_format::int8, huge), 2);
  CHECK(limited == std::vector<float>{127 * 0x1p120F, -127 * 0x1p120F});
}

TEST_CASE("pieces that begin with a group are encoded as the whole is") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto values = random_values(random, 2000);
  for (const auto format : formats) {
    CAPTURE(to_string(format));
    std::vector<std::byte> pieces;
    for (std::size_t first = 0; first < values.size(); first += 3 * group_floats) {
      const auto piece =
          code(format, std::span(values).subspan(first, std::min(3 * group_floats, 2000 - first)));
      pieces.insert(pieces.end(), piece.begin(), piece.end());
    }
    CHECK(pieces == code(format, values));
  }
}

TEST_CASE("every instruction set encodes and decodes to the same bits") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::vector<float> values(10'007);
  for (auto& value : values) { // any finite float
    const auto bits = static_cast<std::uint32_t>(random());
    value = std::bit_cast<float>((bits & 0x7f800000U) == 0x7f800000U ? bits & ~0x40000000U : bits);
  }
  for (const auto format : formats) {
    CAPTURE(to_string(format));
    const auto expected = code(format, values, instruction_set::portable);
    const auto back = values_of(format, expected, values.size(), instruction_set::portable);
    for (const auto set : supported_instruction_sets()) {
      CHECK(code(format, values, set) == expected);
      CHECK(values_of(format, expected, values.size(), set) == back);
    }
  }
}

TEST_CASE("infinity and NaN pass through the float formats, and int8 refuses them") {
  for (const float bad : {infinity, -infinity, not_a_number}) {
    for (const std::size_t at : {0U, 255U, 256U, 299U}) {
      CAPTURE(at);
      std::vector<float> values(300, 1.0F);
      values[at] = bad;
      for (const auto format :
           {transfer_format::float32, transfer_format::float16, transfer_format::bfloat16}) {
        const auto back = values_of(format, code(format, values), 300);
        CHECK((std::isnan(bad) ? std::isnan(back[at]) : back[at] == bad));
        CHECK(back[150] == 1);
      }
      std::vector<std::byte> bytes(encoded_bytes(transfer_format::int8, 300));
      const auto refused = encode(transfer_format::int8, values, bytes);
      REQUIRE(!refused);
      CHECK(refused.failure().code == errc::invalid_argument);
      CHECK(refused.failure().text.starts_with("value " + std::to_string(at) + " of 300 is "));
    }
  }
}

TEST_CASE("a scale that no encoder writes is refused with its group") {
  const std::vector<float> values(600, 1.0F);
  for (const float scale :
       {not_a_number, -not_a_number, infinity, -infinity, -1.0F, -1e-30F, 0x1.000002p120F})
    for (const std::size_t group : {0U, 1U, 2U}) {
      auto bytes = code(transfer_format::int8, values);
      std::memcpy(bytes.data() + group * 260, &scale, sizeof scale);
      std::vector<float> out(600);
      const auto refused = decode(transfer_format::int8, bytes, out);
      REQUIRE(!refused);
      CHECK(refused.failure().code == errc::malformed_message);
      CHECK(refused.failure().text.starts_with("the scale of int8 group " + std::to_string(group)));
    }
}

TEST_CASE("any bytes decode to something or are refused, and never to infinity from int8") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  int taken = 0;
  for (int round = 0; round < 2000; ++round) {
    for (const auto format : formats) {
      const std::size_t count = random() % 600;
      std::vector<std::byte> bytes(encoded_bytes(format, count));
      for (auto& byte : bytes)
        byte = static_cast<std::byte>(random());
      std::vector<float> out(count);
      const auto ok = decode(format, bytes, out);
      if (format != transfer_format::int8) {
        REQUIRE(ok);
      } else if (ok) {
        ++taken;
        for (const float value : out)
          REQUIRE(std::isfinite(value));
      }
    }
  }
  CHECK(taken > 0);
}

TEST_CASE("bytes of another number than the floats take are refused with both numbers") {
  std::vector<float> values(300);
  for (const auto format : formats) {
    CAPTURE(to_string(format));
    std::vector<std::byte> bytes(encoded_bytes(format, 300) + 1);
    const auto size = std::to_string(bytes.size());
    for (const auto& wrong : {std::span(bytes), std::span(bytes).first(bytes.size() - 2)}) {
      const auto encoded = encode(format, values, wrong);
      const auto decoded = decode(format, wrong, values);
      REQUIRE(!encoded);
      REQUIRE(!decoded);
      CHECK(encoded.failure().code == errc::invalid_argument);
      CHECK(decoded.failure().code == errc::malformed_message);
      CHECK(decoded.failure().text.starts_with(std::to_string(wrong.size()) +
                                               " bytes that stand for 300 floats as "));
    }
  }
}
