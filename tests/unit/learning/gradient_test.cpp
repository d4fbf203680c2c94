#include "tests/support/random_data.hpp"
#include "tests/unit/learning/flat_model.hpp"
#include "tools/simulation/oracle.hpp"

#include <cmath>
#include <random>

using namespace gradmesh;
using namespace gradmesh::learning;
using simulation::oracle;

namespace {

std::vector<float> random_parameters(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> draw(-0.5F, 0.5F);
  std::vector<float> values(size);
  for (auto& v : values)
    v = draw(random);
  return values;
}

std::vector<double> widened(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

/// The derivative of the loss by parameter i, by central differences in double.
double finite_difference(oracle& reference, const example_view& batch, std::size_t i) {
  constexpr double h = 1e-5;
  auto& p = reference.parameters()[i];
  const auto at = p;
  p = at + h;
  const auto above = reference.evaluate(batch).loss;
  p = at - h;
  const auto below = reference.evaluate(batch).loss;
  p = at;
  return (above - below) / (2 * h);
}

void check_gradient(const dataset& data, const model_options& options, std::uint64_t seed) {
  flat_model model(data.shape, options);
  oracle reference(data.shape, options.hidden);
  REQUIRE(model.size() == reference.size());
  const auto parameters = random_parameters(seed, model.size());
  reference.parameters() = widened(parameters);

  std::vector<float> gradient;
  const float scale = 0.25F;
  const auto metrics = model.forward_backward(data.view(), parameters, scale, gradient);
  REQUIRE(metrics);
  const auto sums = reference.evaluate(data.view());
  CHECK(metrics->loss_sum == doctest::Approx(sums.loss).epsilon(1e-6));
  CHECK(metrics->correct == sums.correct);
  CHECK(metrics->examples == data.size());

  const auto analytic = reference.gradient(data.view());
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    CAPTURE(i);
    const auto wanted = finite_difference(reference, data.view(), i);
    CHECK(std::abs(analytic[i] - wanted) <= 1e-7 * (1 + std::abs(wanted)));
    CHECK(std::abs(gradient[i] / scale - wanted) <= 2e-5 * (1 + std::abs(wanted)));
  }
}

} // namespace

TEST_CASE("the gradient of sparse softmax regression equals finite differences") {
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    check_gradient(testing::random_sparse(seed, 1 + seed * 3, 40, 2 + seed % 5, 6, false),
                   {"softmax", {}, 0}, seed);
  }
}

TEST_CASE("the gradient of dense softmax regression equals finite differences") {
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    check_gradient(testing::random_dense(seed, 1 + seed * 3, 11, 2 + seed % 5), {"softmax", {}, 0},
                   seed);
  }
}

TEST_CASE("the gradient of an MLP equals finite differences for one to three hidden layers") {
  for (std::uint32_t seed = 1; seed <= 9; ++seed) {
    CAPTURE(seed);
    std::vector<std::uint32_t> hidden{9, 5, 7};
    hidden.resize(1 + seed % 3);
    check_gradient(testing::random_dense(seed, 1 + seed * 2, 6, 2 + seed % 4), {"mlp", hidden, 0},
                   seed);
  }
}

TEST_CASE("an l2 adds to the gradient of the weights that the batch touches, not of biases") {
  const float l2 = 0.125F, scale = 0.5F;
  const auto check = [&](const dataset& data, model_options options,
                         const std::vector<bool>& regularised) {
    const auto parameters = random_parameters(3, regularised.size());
    std::vector<float> without, with;
    REQUIRE(
        flat_model(data.shape, options).forward_backward(data.view(), parameters, scale, without));
    options.l2 = l2;
    REQUIRE(flat_model(data.shape, options).forward_backward(data.view(), parameters, scale, with));
    REQUIRE(with.size() == regularised.size());
    for (std::size_t i = 0; i < with.size(); ++i) {
      CAPTURE(i);
      const auto n = static_cast<float>(data.size());
      const auto added = regularised[i] ? scale * n * l2 * parameters[i] : 0.0F;
      CHECK(with[i] - without[i] == doctest::Approx(added).epsilon(1e-5));
    }
  };

  const auto sparse = testing::random_sparse(4, 3, 40, 3, 5, false);
  std::vector<bool> touched(40 * 3 + 3, false);
  for (const auto f : sparse.indices)
    std::fill_n(touched.begin() + f * 3, 3, true);
  check(sparse, {"softmax", {}, 0}, touched);

  std::vector<bool> weights(5 * 4 + 4 + 4 * 3 + 3, true);
  std::fill_n(weights.begin() + 20, 4, false);
  std::fill_n(weights.begin() + 36, 3, false);
  check(testing::random_dense(5, 7, 5, 3), {"mlp", {4}, 0}, weights);
}

TEST_CASE("sparse softmax regression gives what the dense one gives on the same examples") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const auto sparse = testing::random_sparse(seed, 50, 60, 5, 8, false);
    const auto dense = testing::densified(sparse);
    flat_model sparse_model(sparse.shape, {}), dense_model(dense.shape, {});
    const auto parameters = random_parameters(seed, sparse_model.size());

    std::vector<float> from_sparse, from_dense;
    const auto a = sparse_model.forward_backward(sparse.view(), parameters, 1, from_sparse);
    const auto b = dense_model.forward_backward(dense.view(), parameters, 1, from_dense);
    REQUIRE(a);
    REQUIRE(b);
    CHECK(a->loss_sum == doctest::Approx(b->loss_sum).epsilon(1e-6));
    CHECK(a->correct == b->correct);
    CHECK(simulation::relative_error(widened(from_sparse), widened(from_dense)) < 1e-6);
  }
}
