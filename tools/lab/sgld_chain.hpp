#pragma once

/// A chain of stochastic gradient Langevin dynamics whose posterior is known: a straight line
/// fitted to seeded points, y = a + b x + N(0, 1), with the prior N(0, 1 / precision) for a and b.
/// Each step's batch is cut into the workers' parts; their gradients are summed and applied once by
/// a parameter store with the rule sgld, as a shard does it.
///
/// Plain code on one thread; 200,000 steps take about a tenth of a second.

#include "actors/error.hpp"

#include <array>
#include <cstdint>

namespace gradmesh::tools {

struct sgld_experiment {
  std::uint32_t workers = 1; // 1 to 50
  std::uint64_t steps = 200'000;
  std::uint64_t seed = 1; // of points, batches and noise
  /// The mistake to look for: each worker takes a step with noise of its own, and the results are
  /// averaged, so that the noise has the variance eps / workers.
  bool noise_per_worker = false;
};

struct sgld_figures {
  std::array<double, 2> mean{};       // of the chain, weighted by the step sizes
  std::array<double, 2> exact_mean{}; // of the posterior
  /// Largest distance of a mean from the exact one, in Monte Carlo standard errors (from the means
  /// of 50 parts of the chain). METHODS: at most 3.
  double mean_error = 0;
  /// |chain's covariance - exact| / |exact|, Frobenius. METHODS: at most 0.1.
  double covariance_error = 0;
};

/// Errors: those of parameter_store; `invalid_argument` for no workers, too many, or no steps.
result<sgld_figures> run_sgld(const sgld_experiment& experiment);

} // namespace gradmesh::tools
