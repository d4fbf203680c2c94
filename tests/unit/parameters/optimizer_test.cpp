#include "actors/parameters/optimizer.hpp"

#include "tools/simulation/rule_oracle.hpp"

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

std::vector<std::string> all_rules() {
  auto names = simulation::rule_names;
  names.push_back("sgld");
  return names;
}

} // namespace

TEST_CASE("every update rule follows its formula over 200 steps, also at changing rates") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (const auto& kind : simulation::rule_names) {
    CAPTURE(kind);
    for (const bool changing : {false, true}) {
      CAPTURE(changing);
      const optimizer_options options{.kind = kind, .ftrl_l1 = 0.125F, .ftrl_l2 = 0.25F};
      const auto rule = make(options);
      CHECK(rule->name() == kind);
      constexpr std::size_t n = 13;
      std::vector<float> w(n), g(n), state(n * rule->state_floats_per_parameter());
      std::vector<double> expected(n);
      std::vector<simulation::rule_oracle> oracles(n);
      for (std::size_t i = 0; i < n; ++i)
        expected[i] = w[i] = normal(random);
      for (std::uint64_t step = 1; step <= 200; ++step) {
        const float rate = changing ? 0.05F + 0.04F * normal(random) / 4 : 0.05F;
        for (std::size_t i = 0; i < n; ++i) {
          g[i] = normal(random);
          expected[i] = oracles[i].updated({.kind = kind, .ftrl_l1 = 0.125F, .ftrl_l2 = 0.25F},
                                           expected[i], g[i], rate);
        }
        rule->update(w, w, g, state, {rate, step});
      }
      for (std::size_t i = 0; i < n; ++i)
        CHECK(w[i] == doctest::Approx(expected[i]).epsilon(1e-4).scale(1));
    }
  }
}

TEST_CASE("the first steps have the values computed by hand") {
  std::vector<float> w{1}, g{0.5F}, state{0, 0};
  make({.kind = "sgd"})->update(w, w, g, {}, {0.5F, 1});
  CHECK(w[0] == 0.75F);

  w = {1};
  const auto momentum = make({.kind = "momentum", .momentum = 0.5F});
  momentum->update(w, w, g, std::span(state).first(1), {0.5F, 1}); // v = 0.5
  CHECK(w[0] == 0.75F);
  momentum->update(w, w, g, std::span(state).first(1), {0.5F, 2}); // v = 0.75
  CHECK(w[0] == 0.375F);

  w = {1};
  state = {0, 0};
  const auto nesterov = make({.kind = "nesterov", .momentum = 0.5F});
  nesterov->update(w, w, g, std::span(state).first(1), {0.5F, 1}); // g + v / 2 = 0.75
  CHECK(w[0] == 0.625F);

  w = {1};
  state = {0, 0};
  make({.kind = "rmsprop", .rho = 0.75F}) // v = g^2 / 4
      ->update(w, w, g, std::span(state).first(1), {0.25F, 1});
  CHECK(w[0] == doctest::Approx(0.5));

  w = {0};
  std::vector<float> three(3);
  const auto ftrl = make({.kind = "ftrl", .ftrl_beta = 1.5F, .ftrl_l1 = 0.25F, .ftrl_l2 = 1});
  ftrl->update(w, w, g, three, {0.5F, 1}); // z = 0.5, q = (1.5 + 0.5) / 0.5
  CHECK(w[0] == -0.25F / 5);
  ftrl->update(w, w, std::vector<float>{-0.4F}, three, {0.5F, 2}); // |z| below l1
  CHECK(w[0] == 0);
  CHECK_FALSE(std::signbit(w[0]));

  w = {1};
  state = {0, 0};
  make({.kind = "adagrad"})->update(w, w, g, std::span(state).first(1), {0.5F, 1}); // g / |g|
  CHECK(w[0] == doctest::Approx(0.5));

  w = {1};
  state = {0, 0};
  make({.kind = "adam"})->update(w, w, g, state, {0.5F, 1}); // the bias correction gives g / |g|
  CHECK(w[0] == doctest::Approx(0.5));
}

TEST_CASE("a parameter gets the same bits in whatever run it is updated") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (const auto& kind : all_rules()) {
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
      rule->update(whole, whole, g, state, {0.1F, step});
      for (std::size_t i = 0; i < n; ++i) {
        const auto one = std::span(single).subspan(i, 1);
        rule->update(one, one, std::span(g).subspan(i, 1), single_state[i], {0.1F, step, i});
      }
    }
    CHECK(whole == single);
  }
}

TEST_CASE("every instruction set gives the same bits, in place and into other memory") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  for (const auto& kind : all_rules()) {
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
        (*rule)->update(in_place, elsewhere, g, state_elsewhere, {0.1F, step});
        (*rule)->update(in_place, in_place, g, state, {0.1F, step});
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
    for (const auto& kind : all_rules()) {
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
            (*rule)->update(values[r], values[r], std::span(gradients).last(width), state[r],
                            {0.1F, ++steps[r]});
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
  make({.kind = "adam"})
      ->update(w, w, g, state, {0.25F, std::numeric_limits<std::uint32_t>::max()});
  CHECK(w[0] == doctest::Approx(-0.25));
}

TEST_CASE("adamw lets a parameter decay past the moments, adam with it in the gradient does not") {
  std::vector<float> w{2}, g{0}, state{0, 0};
  make({.kind = "adamw", .weight_decay = 0.5F})->update(w, w, g, state, {0.25F, 1});
  CHECK(w[0] == 1.75F);
}

TEST_CASE("ftrl without a gradient leaves a parameter where it is, whatever the rate becomes") {
  std::vector<float> w{0.5F}, g{0.25F}, state(3);
  const auto rule = make({.kind = "ftrl"});
  rule->update(w, w, g, state, {0.5F, 1});
  const float reached = w[0];
  CHECK(reached == doctest::Approx(0.5 - 0.5 * 0.25 / 1.25));
  for (const float rate : {0.25F, 1.0F, 0.01F}) {
    rule->update(w, w, std::vector<float>{0}, state, {rate, 2});
    CHECK(w[0] == doctest::Approx(reached));
  }
}

TEST_CASE("sgld goes half a step down the gradient of all examples, with noise of variance eps") {
  constexpr std::size_t n = 100'000;
  constexpr float eps = 0.04F;
  const std::vector<float> g(n, 0.25F);
  std::vector<float> w(n, 1.0F), again(n, 1.0F), other_seed(n, 1.0F), other_step(n, 1.0F);
  const auto rule = make({.kind = "sgld", .examples = 8, .seed = 5});
  rule->update(w, w, g, {}, {eps, 1, 1000});
  double mean = 0, square = 0;
  for (const auto value : w) {
    mean += value / double{n};
    square += (value - 0.96) * (value - 0.96) / n;
  }
  CHECK(std::fabs(mean - (1 - 0.02 * 8 * 0.25)) < 4 * 0.2 / std::sqrt(double{n}));
  CHECK(std::fabs(square / eps - 1) < 4 * std::sqrt(2.0 / n));
  rule->update(again, again, g, {}, {eps, 1, 1000});
  CHECK(again == w);
  rule->update(other_step, other_step, g, {}, {eps, 2, 1000});
  CHECK(other_step != w);
  make({.kind = "sgld", .examples = 8, .seed = 6})
      ->update(other_seed, other_seed, g, {}, {eps, 1, 1000});
  CHECK(other_seed != w);
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
  CHECK(text({.rho = 1}).find("optimizer option rho is 1") == 0);
  CHECK(text({.weight_decay = -1}).find("optimizer option weight_decay is -1") == 0);
  CHECK(text({.ftrl_beta = 0}).find("optimizer option ftrl_beta is 0") == 0);
  CHECK(text({.ftrl_l1 = -1}).find("optimizer option ftrl_l1 is -1") == 0);
  CHECK(text({.ftrl_l2 = -1}).find("optimizer option ftrl_l2 is -1") == 0);
  CHECK(text({.examples = 0}).find("optimizer option examples is 0") == 0);
  CHECK(text({.epsilon = 0}).find("optimizer option epsilon is 0") == 0);
}
