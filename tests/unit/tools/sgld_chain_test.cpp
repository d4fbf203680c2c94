#include "tools/lab/sgld_chain.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::tools;

namespace {

sgld_figures run(const sgld_experiment& experiment) {
  const auto figures = run_sgld(experiment);
  REQUIRE_MESSAGE(figures, figures.failure().text);
  return *figures;
}

} // namespace

TEST_CASE("sgld samples the posterior of a line, whatever the number of workers") {
  for (const std::uint64_t seed : {1U, 2U, 3U})
    for (const std::uint32_t workers : {1U, 4U}) {
      CAPTURE(seed);
      CAPTURE(workers);
      const auto figures = run({.workers = workers, .seed = seed});
      CAPTURE(figures.mean[0]);
      CAPTURE(figures.mean[1]);
      CHECK(figures.mean_error < 3);
      CHECK(figures.covariance_error < 0.1);
    }
}

TEST_CASE("noise added by each worker instead of once gives a posterior that is too narrow") {
  const auto figures = run({.workers = 4, .noise_per_worker = true});
  CHECK(figures.covariance_error > 0.6); // a quarter of the variance is left
  CHECK(figures.covariance_error < 0.8);
  CHECK(run({.workers = 1, .noise_per_worker = true}).covariance_error < 0.1);
}

TEST_CASE("a chain without workers or too short to be measured is refused") {
  CHECK(!run_sgld({.workers = 0}));
  CHECK(!run_sgld({.workers = 51}));
  CHECK(!run_sgld({.steps = 9999}));
}
