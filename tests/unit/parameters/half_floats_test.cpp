#include "actors/parameters/half_floats.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace gradmesh::parameters;

namespace {

/// The two formats by one description.
struct format {
  const char* name;
  int mantissa_bits;
  int exponent_bias;
  void (*to)(const float*, std::size_t, std::uint16_t*, instruction_set);
  void (*from)(const std::uint16_t*, std::size_t, float*, instruction_set);

  std::uint16_t infinity() const {
    return static_cast<std::uint16_t>(0x7fff >> mantissa_bits << mantissa_bits);
  }
  /// The value of a finite, positive pattern, by the definition of the format.
  double value(std::uint16_t half) const {
    const int exponent = half >> mantissa_bits;
    const int mantissa = half & ((1 << mantissa_bits) - 1);
    return exponent == 0 ? std::ldexp(mantissa, 1 - exponent_bias - mantissa_bits)
                         : std::ldexp(mantissa + (1 << mantissa_bits),
                                      exponent - exponent_bias - mantissa_bits);
  }
};

const format formats[]{{"float16", 10, 15, to_float16, from_float16},
                       {"bfloat16", 7, 127, to_bfloat16, from_bfloat16}};

template <class Check>
void for_each_format_and_set(const Check& check) {
  for (const auto& f : formats) {
    CAPTURE(f.name);
    for (const auto set : supported_instruction_sets()) {
      CAPTURE(to_string(set));
      check(f, set);
    }
  }
}

std::vector<std::uint16_t> encode(const format& f, instruction_set set,
                                  const std::vector<float>& values) {
  std::vector<std::uint16_t> halves(values.size());
  f.to(values.data(), values.size(), halves.data(), set);
  return halves;
}

} // namespace

TEST_CASE("all 65536 patterns stand for their values, and come back from them") {
  for_each_format_and_set([](const format& f, instruction_set set) {
    std::vector<std::uint16_t> all(65536);
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = static_cast<std::uint16_t>(i);
    std::vector<float> values(all.size());
    f.from(all.data(), all.size(), values.data(), set);
    const auto back = encode(f, set, values);
    for (std::size_t i = 0; i < all.size(); ++i) {
      CAPTURE(i);
      const auto magnitude = static_cast<std::uint16_t>(all[i] & 0x7fffU);
      const bool negative = all[i] >= 0x8000U;
      REQUIRE(std::signbit(values[i]) == negative);
      if (magnitude > f.infinity()) {
        REQUIRE(std::isnan(values[i]));
        REQUIRE((std::bit_cast<std::uint32_t>(values[i]) & 0x400000U) != 0); // quiet
        // The same, and quiet.
        REQUIRE(back[i] == (all[i] | 1U << (f.mantissa_bits - 1)));
        continue;
      }
      REQUIRE(back[i] == all[i]);
      if (magnitude == f.infinity())
        REQUIRE(std::isinf(values[i]));
      else
        REQUIRE(static_cast<double>(std::abs(values[i])) == f.value(magnitude));
    }
  });
}

TEST_CASE("between any two neighbours the nearer is taken, and the even one halfway") {
  for_each_format_and_set([](const format& f, instruction_set set) {
    std::vector<float> values;
    std::vector<std::uint16_t> expected;
    for (std::uint16_t low = 0; low + 1 < f.infinity(); ++low) {
      const auto high = static_cast<std::uint16_t>(low + 1);
      const auto middle = static_cast<float>((f.value(low) + f.value(high)) / 2); // exact
      const auto below = std::nextafter(middle, 0.0F);
      const auto above = std::nextafter(middle, std::numeric_limits<float>::infinity());
      for (const float sign : {1.0F, -1.0F}) {
        const auto sign_bit = sign < 0 ? 0x8000U : 0U;
        values.insert(values.end(), {sign * below, sign * middle, sign * above});
        for (const auto half : {low, low % 2 == 0 ? low : high, high})
          expected.push_back(static_cast<std::uint16_t>(half | sign_bit));
      }
    }
    const auto halves = encode(f, set, values);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (halves[i] != expected[i]) {
        CAPTURE(values[i]);
        REQUIRE(halves[i] == expected[i]);
      }
  });
}

TEST_CASE("a finite value stays finite, however large") {
  for_each_format_and_set([](const format& f, instruction_set set) {
    const auto largest = static_cast<std::uint16_t>(f.infinity() - 1);
    // Halfway from the largest to the next, which would be a power of two.
    const auto halfway =
        static_cast<float>(f.value(largest) + std::ldexp(1, f.mantissa_bits == 10 ? 4 : 119));
    std::vector<float> values{halfway, std::nextafter(halfway, 0.0F),
                              std::nextafter(halfway, std::numeric_limits<float>::infinity()),
                              std::numeric_limits<float>::max()};
    // In every place of a vector.
    for (std::size_t place = 0; place < 37; ++place)
      for (const float value : values) {
        std::vector<float> run(37, 1.0F);
        run[place] = -value;
        const auto one = encode(f, set, {1.0F})[0];
        std::vector<std::uint16_t> expected(37, one);
        expected[place] = static_cast<std::uint16_t>(largest | 0x8000U);
        REQUIRE(encode(f, set, run) == expected);
      }
  });
}

TEST_CASE("every instruction set gives the same bits for any float") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  for (const auto& f : formats) {
    CAPTURE(f.name);
    std::mt19937 random(seed);
    std::vector<float> values(100'003);
    for (auto& value : values)
      value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    const auto expected = encode(f, instruction_set::portable, values);
    for (const auto set : supported_instruction_sets())
      CHECK(encode(f, set, values) == expected);
  }
}
