#include "actors/parameters/portable_math.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

using namespace gradmesh::parameters;

TEST_CASE("logarithm and cosine are those of the C library to ten digits") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  double log_error = 0, cosine_error = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double u = uniform(random);
    const double x = std::ldexp(u + 1e-9, static_cast<int>(random() % 80) - 40);
    log_error = std::max(log_error, std::fabs(natural_log(x) - std::log(x)));
    cosine_error =
        std::max(cosine_error, std::fabs(cosine_of_turn(u) - std::cos(2 * std::numbers::pi * u)));
  }
  CHECK(log_error < 1e-10);
  CHECK(cosine_error < 1e-11);
  CHECK(natural_log(1) == 0);
  CHECK(cosine_of_turn(0) == doctest::Approx(1).epsilon(1e-11));
  CHECK(cosine_of_turn(0.5) == doctest::Approx(-1).epsilon(1e-11));
  CHECK(cosine_of_turn(1) == doctest::Approx(1).epsilon(1e-11));
}

TEST_CASE("powers are those of repeated products") {
  CHECK(power(0.5, 0) == 1);
  CHECK(power(0.5, 10) == 0x1p-10);
  CHECK(power(0.999, 1000) == doctest::Approx(std::pow(0.999, 1000)));
  CHECK(power(0.9, ~std::uint64_t{0}) == 0);
}

TEST_CASE("noise has the normal distribution, along a stream and across streams") {
  // Kolmogorov and Smirnov: above 1.95 / sqrt(n) only once in a thousand samples; these are fixed.
  constexpr std::size_t n = 200'000;
  for (const bool across : {false, true}) {
    CAPTURE(across);
    std::vector<double> values(n);
    for (std::size_t i = 0; i < n; ++i)
      values[i] = across ? normal_number(mix(i), 7) : normal_number(mix(7), i);
    std::ranges::sort(values);
    double distance = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double expected = 0.5 * std::erfc(-values[i] / std::numbers::sqrt2);
      distance = std::max({distance, std::fabs(expected - static_cast<double>(i) / n),
                           std::fabs(expected - static_cast<double>(i + 1) / n)});
    }
    CHECK(distance < 1.95 / std::sqrt(static_cast<double>(n)));
    CHECK(values.front() > -6.8);
    CHECK(values.back() < 6.8);
  }
}

TEST_CASE("noise of neighbours, in place and in time, is not correlated") {
  constexpr std::uint64_t n = 200'000;
  double in_place = 0, in_time = 0, squares = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double here = normal_number(mix(100), i);
    in_place += here * normal_number(mix(100), i + 1);
    in_time += here * normal_number(mix(101), i);
    squares += here * here * normal_number(mix(100), i + 1) * normal_number(mix(100), i + 1);
  }
  const double four_errors = 4 / std::sqrt(static_cast<double>(n));
  CHECK(std::fabs(in_place / n) < four_errors);
  CHECK(std::fabs(in_time / n) < four_errors);
  CHECK(std::fabs(squares / n - 1) < 3 * four_errors); // variance of z^2 z'^2 is 8
}
