#include "actors/parameters/optimizer.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace gradmesh;
using namespace gradmesh::parameters;

namespace {

std::unique_ptr<optimizer> make(const optimizer_options& options) {
  auto rule = make_optimizer(options);
  REQUIRE(rule);
  return *std::move(rule);
}

/// The formulas of the papers for one parameter, in double.
struct oracle {
  optimizer_options options;
  double w = 0;
  double first = 0;
  double second = 0;

  void update(double g, double lr, int step) {
    const double mu = options.momentum, b1 = options.beta1, b2 = options.beta2;
    const double eps = options.epsilon;
    if (options.kind == "sgd") {
      w -= lr * g;
    } else if (options.kind == "momentum") {
      first = mu * first + g;
      w -= lr * first;
    } else if (options.kind == "adagrad") {
      first += g * g;
      w -= lr * g / (std::sqrt(first) + eps);
    } else {
      first = b1 * first + (1 - b1) * g;
      second = b2 * second + (1 - b2) * g * g;
      const double mean = first / (1 - std::pow(b1, step));
      const double square = second / (1 - std::pow(b2, step));
      w -= lr * mean / (std::sqrt(square) + eps);
    }
  }
};

} // namespace

TEST_CASE("every update rule follows its formula over 200 steps") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (const char* kind : {"sgd", "momentum", "adagrad", "adam"}) {
    CAPTURE(kind);
    optimizer_options options;
    options.kind = kind;
    const auto rule = make(options);
    CHECK(rule->name() == kind);
    constexpr std::size_t n = 13;
    std::vector<float> w(n), g(n), state(n * rule->state_floats_per_parameter());
    std::vector<oracle> oracles(n, {options});
    for (std::size_t i = 0; i < n; ++i)
      oracles[i].w = w[i] = normal(random);
    for (int step = 1; step <= 200; ++step) {
      for (std::size_t i = 0; i < n; ++i) {
        g[i] = normal(random);
        oracles[i].update(g[i], 0.05F, step);
      }
      rule->update(w, w, g, state, 0.05F, static_cast<std::uint64_t>(step));
    }
    for (std::size_t i = 0; i < n; ++i)
      CHECK(w[i] == doctest::Approx(oracles[i].w).epsilon(1e-4).scale(1));
  }
}

TEST_CASE("the first steps have the values computed by hand") {
  std::vector<float> w{1}, g{0.5F}, state{0, 0};
  make({.kind = "sgd"})->update(w, w, g, {}, 0.5F, 1);
  CHECK(w[0] == 0.75F);

  w = {1};
  const auto momentum = make({.kind = "momentum", .momentum = 0.5F});
  momentum->update(w, w, g, std::span(state).first(1), 0.5F, 1); // v = 0.5
  CHECK(w[0] == 0.75F);
  momentum->update(w, w, g, std::span(state).first(1), 0.5F, 2); // v = 0.75
  CHECK(w[0] == 0.375F);

  w = {1};
  state = {0, 0};
  make({.kind = "adagrad"})->update(w, w, g, std::span(state).first(1), 0.5F, 1); // g / |g|
  CHECK(w[0] == doctest::Approx(0.5));

  w = {1};
  state = {0, 0};
  make({.kind = "adam"})->update(w, w, g, state, 0.5F, 1); // the bias correction gives g / |g|
  CHECK(w[0] == doctest::Approx(0.5));
}

TEST_CASE("a parameter gets the same bits in whatever run it is updated") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (const char* kind : {"sgd", "momentum", "adagrad", "adam"}) {
    CAPTURE(kind);
    optimizer_options options;
    options.kind = kind;
    const auto rule = make(options);
    constexpr std::size_t n = 203;
    std::vector<float> whole(n), g(n), state(n * rule->state_floats_per_parameter());
    auto single = whole;
    std::vector<std::vector<float>> single_state(
        n, std::vector<float>(rule->state_floats_per_parameter()));
    for (std::uint64_t step = 1; step <= 20; ++step) {
      for (auto& value : g)
        value = normal(random);
      rule->update(whole, whole, g, state, 0.1F, step);
      for (std::size_t i = 0; i < n; ++i) {
        const auto one = std::span(single).subspan(i, 1);
        rule->update(one, one, std::span(g).subspan(i, 1), single_state[i], 0.1F, step);
      }
    }
    CHECK(whole == single);
  }
}

TEST_CASE("every instruction set gives the same bits, in place and into other memory") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  for (const char* kind : {"sgd", "momentum", "adagrad", "adam"}) {
    CAPTURE(kind);
    std::vector<float> expected;
    for (const auto set : supported_instruction_sets()) {
      CAPTURE(to_string(set));
      const auto rule = make_optimizer({.kind = kind}, set);
      REQUIRE(rule);
      std::mt19937 random(seed);
      std::normal_distribution<float> normal;
      constexpr std::size_t n = 1003;
      std::vector<float> in_place(n), g(n), state(n * (*rule)->state_floats_per_parameter());
      for (std::uint64_t step = 1; step <= 20; ++step) {
        for (auto& value : g)
          value = std::ldexp(normal(random), static_cast<int>(random() % 40) - 20);
        std::vector<float> elsewhere(n);
        auto state_elsewhere = state;
        (*rule)->update(in_place, elsewhere, g, state_elsewhere, 0.1F, step);
        (*rule)->update(in_place, in_place, g, state, 0.1F, step);
        REQUIRE(in_place == elsewhere);
        REQUIRE(state == state_elsewhere);
      }
      if (expected.empty()) expected = in_place;
      CHECK(in_place == expected);
    }
  }
}

TEST_CASE("sparse rows are updated like any run of parameters, each with its own steps") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  for (const auto set : supported_instruction_sets()) {
    CAPTURE(to_string(set));
    for (const char* kind : {"sgd", "momentum", "adagrad", "adam"}) {
      CAPTURE(kind);
      const auto rule = make_optimizer({.kind = kind}, set);
      REQUIRE(rule);
      const auto states = (*rule)->state_floats_per_parameter();
      for (const std::size_t width : {1U, 3U, 40U}) {
        CAPTURE(width);
        constexpr std::size_t count = 37;
        std::mt19937 random(seed);
        std::normal_distribution<float> normal;
        const auto row_floats = (*rule)->row_floats(width);
        std::vector<std::vector<float>> rows(count, std::vector<float>(row_floats));
        std::vector<std::vector<float>> values(count, std::vector<float>(width));
        std::vector<std::vector<float>> state(count, std::vector<float>(width * states));
        std::vector<std::uint64_t> steps(count);
        for (int round = 0; round < 10; ++round) {
          std::vector<float*> chosen;
          std::vector<float> gradients;
          for (std::size_t r = 0; r < count; ++r) {
            if (random() % 3 == 0) continue;
            chosen.push_back(rows[r].data());
            for (std::size_t i = 0; i < width; ++i)
              gradients.push_back(normal(random));
            (*rule)->update(values[r], values[r], std::span(gradients).last(width), state[r], 0.1F,
                            ++steps[r]);
          }
          (*rule)->update_rows(chosen, width, gradients.data(), 0.1F);
        }
        for (std::size_t r = 0; r < count; ++r) {
          CHECK(std::equal(values[r].begin(), values[r].end(), rows[r].begin()));
          CHECK(std::equal(state[r].begin(), state[r].end(), rows[r].begin() + width));
        }
      }
    }
  }
}

TEST_CASE("adam after very many steps has no bias correction left") {
  std::vector<float> w{0}, g{1}, state{1, 1}; // mean and square as after endless gradients of 1
  make({.kind = "adam"})->update(w, w, g, state, 0.25F, std::numeric_limits<std::uint32_t>::max());
  CHECK(w[0] == doctest::Approx(-0.25));
}

TEST_CASE("wrong optimizer options are refused with name and value") {
  const auto text = [](const optimizer_options& options) {
    const auto rule = make_optimizer(options);
    REQUIRE(!rule);
    CHECK(rule.failure().code == errc::invalid_argument);
    return rule.failure().text;
  };
  CHECK(text({.kind = "sdg"}).find("unknown optimizer 'sdg'") == 0);
  CHECK(text({.learning_rate = 0}).find("optimizer option learning_rate is 0") == 0);
  CHECK(text({.learning_rate = std::numeric_limits<float>::quiet_NaN()}).find("nan") !=
        std::string::npos);
  CHECK(text({.momentum = 1}).find("optimizer option momentum is 1") == 0);
  CHECK(text({.beta1 = -0.5F}).find("optimizer option beta1 is -0.5") == 0);
  CHECK(text({.beta2 = 1.5F}).find("optimizer option beta2 is 1.5") == 0);
  CHECK(text({.epsilon = 0}).find("optimizer option epsilon is 0") == 0);
}
