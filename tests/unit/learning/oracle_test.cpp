#include "tools/simulation/oracle.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace gradmesh;
using simulation::oracle;

namespace {

/// Two features, two classes; all parameters zero, so softmax gives 1/2 and the gradient of an
/// example (feature 0 with value 2, label 0) is -1 and 1 in the row of feature 0, -1/2 and 1/2 in
/// the bias.
const learning::data_shape shape{learning::layout::sparse, 2, 2};
const learning::dataset first_feature{shape, {0}, {0, 1}, {0}, {2}};
const learning::dataset second_feature{shape, {0}, {0, 1}, {1}, {2}};

std::vector<double> after_first_step(const simulation::oracle_rule& rule) {
  oracle o(shape, {}, rule);
  o.step(first_feature.view(), 1);
  return o.parameters();
}

void check_close(const std::vector<double>& got, const std::vector<double>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i] == doctest::Approx(wanted[i]).epsilon(1e-6));
  }
}

} // namespace

TEST_CASE("the oracle's loss, gradient and first step equal those worked out by hand") {
  const oracle o(shape, {});
  CHECK(o.evaluate(first_feature.view()).loss == doctest::Approx(std::log(2)));
  CHECK(o.evaluate(first_feature.view()).correct == 1);
  check_close(o.gradient(first_feature.view()), {-1, 1, 0, 0, -0.5, 0.5});

  const std::vector<double> by_gradient{0.1, -0.1, 0, 0, 0.05, -0.05};
  const std::vector<double> by_sign{0.1, -0.1, 0, 0, 0.1, -0.1};
  check_close(after_first_step({.kind = "sgd"}), by_gradient);
  check_close(after_first_step({.kind = "momentum"}), by_gradient);
  check_close(after_first_step({.kind = "adagrad"}), by_sign);
  check_close(after_first_step({.kind = "adam"}), by_sign);
}

TEST_CASE("the oracle's momentum, AdaGrad and Adam remember the gradients before") {
  for (const std::string kind : {"momentum", "adagrad", "adam"}) {
    CAPTURE(kind);
    oracle o(shape, {}, {.kind = kind});
    o.step(first_feature.view(), 1);
    const auto w = o.parameters()[0];
    const auto g1 = -1.0, g2 = o.gradient(first_feature.view())[0];
    o.step(first_feature.view(), 1);

    double change = 0;
    if (kind == "momentum") change = 0.9 * g1 + g2;
    if (kind == "adagrad") change = g2 / std::sqrt(g1 * g1 + g2 * g2);
    if (kind == "adam")
      change = (0.09 * g1 + 0.1 * g2) / 0.19 /
               std::sqrt((0.000999 * g1 * g1 + 0.001 * g2 * g2) / 0.001999);
    CHECK(o.parameters()[0] == doctest::Approx(w - 0.1 * change).epsilon(1e-4));
  }
}

TEST_CASE("a row that a batch does not touch stays, whatever the rule remembers") {
  for (const std::string kind : {"momentum", "adagrad", "adam"}) {
    CAPTURE(kind);
    oracle o(shape, {}, {.kind = kind});
    o.step(first_feature.view(), 1);
    const auto row = o.parameters()[0];
    o.step(second_feature.view(), 1);
    CHECK(o.parameters()[0] == row);
    CHECK(o.parameters()[2] != 0);
  }
}
