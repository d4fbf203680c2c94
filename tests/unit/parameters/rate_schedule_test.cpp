#include "actors/parameters/rate_schedule.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <numbers>

using namespace gradmesh::parameters;

namespace {

/// Exact but for the last bits of a series.
doctest::Approx about(double value) {
  return doctest::Approx(value).epsilon(1e-9);
}

} // namespace

TEST_CASE("a constant rate is the same in every step") {
  for (const std::uint64_t step : {0U, 1U, 500U, 100'000U})
    CHECK(rate_at({.learning_rate = 0.3}, step, 1000) == 0.3);
}

TEST_CASE("the warm-up rises in equal steps to the full rate, and every decay begins after it") {
  for (const auto decay :
       {rate_decay::constant, rate_decay::step, rate_decay::cosine, rate_decay::inverse_sqrt}) {
    const rate_schedule warmed{
        .learning_rate = 0.8, .decay = decay, .warmup_steps = 4, .decay_steps = 10};
    auto cold = warmed;
    cold.warmup_steps = 0;
    CHECK(rate_at(warmed, 0, 104) == about(0.2));
    CHECK(rate_at(warmed, 1, 104) == about(0.4));
    CHECK(rate_at(warmed, 2, 104) == about(0.6));
    CHECK(rate_at(warmed, 3, 104) == about(0.8));
    for (const std::uint64_t step : {0U, 1U, 9U, 10U, 57U, 99U})
      CHECK(rate_at(warmed, 4 + step, 104) == rate_at(cold, step, 100));
    CHECK(rate_at(warmed, 4, 104) == about(0.8));
  }
}

TEST_CASE("step: the rate falls by the factor every so many steps") {
  const rate_schedule s{
      .learning_rate = 2, .decay = rate_decay::step, .decay_steps = 10, .decay_factor = 0.5};
  CHECK(rate_at(s, 0, 100) == 2);
  CHECK(rate_at(s, 9, 100) == 2);
  CHECK(rate_at(s, 10, 100) == 1);
  CHECK(rate_at(s, 29, 100) == 0.5);
  CHECK(rate_at(s, 30, 100) == 0.25);
}

TEST_CASE("cosine: half a wave from the full rate to the least") {
  const rate_schedule s{.learning_rate = 1, .decay = rate_decay::cosine, .min_rate = 0.2};
  for (std::uint64_t step = 0; step <= 200; ++step)
    CHECK(rate_at(s, step, 200) ==
          about(0.2 + 0.4 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / 200))));
  CHECK(rate_at(s, 1000, 200) == about(0.2));
  CHECK(rate_at(s, 100, 200) == about(0.6));
}

TEST_CASE("cosine: a warm-up as long as the job leaves no wave, and no number that is none") {
  const rate_schedule s{.learning_rate = 1, .decay = rate_decay::cosine, .warmup_steps = 10};
  CHECK(rate_at(s, 9, 10) == 1);
  CHECK(rate_at(s, 10, 10) == about(1));
  CHECK(rate_at(s, 11, 10) == about(0));
}

TEST_CASE("inverse square root: 1/sqrt(t) for decay_steps = 1, slower for more") {
  rate_schedule s{.learning_rate = 3, .decay = rate_decay::inverse_sqrt, .decay_steps = 1};
  for (std::uint64_t step = 0; step < 100; ++step)
    CHECK(rate_at(s, step, 100) == about(3 / std::sqrt(static_cast<double>(step + 1))));
  s.decay_steps = 100;
  CHECK(rate_at(s, 300, 1000) == about(1.5));
}

TEST_CASE("no decay goes below the least rate") {
  rate_schedule s{.learning_rate = 1,
                  .decay = rate_decay::step,
                  .decay_steps = 1,
                  .decay_factor = 0.1,
                  .min_rate = 0.05};
  CHECK(rate_at(s, 1, 100) == about(0.1));
  CHECK(rate_at(s, 2, 100) == 0.05);
  CHECK(rate_at(s, ~std::uint64_t{0}, 100) == 0.05);
  s.decay = rate_decay::inverse_sqrt;
  CHECK(rate_at(s, 1'000'000, 100) == 0.05);
}
