#include "tools/lab/sgld_chain.hpp"

#include "actors/env/random.hpp"
#include "actors/parameters/gradient_sum.hpp"
#include "actors/parameters/parameter_store.hpp"
#include "actors/parameters/portable_math.hpp"
#include "actors/parameters/rate_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace gradmesh::tools {
namespace {

constexpr std::uint64_t points = 100;
constexpr std::uint64_t batch = 50;
constexpr std::uint64_t steps_min = 10'000;
constexpr std::size_t parts = 50; // of the chain, for the standard error
/// Of the prior.
constexpr double precision = 2;
/// The steps begin with eps * (largest eigenvalue of the posterior's precision) = 0.2 and fall to a
/// tenth. Euler's error of a covariance is about a quarter of that product, and the batches' noise
/// as much again (a batch is half of the points): 2 to 3 % over the chain.
constexpr double first_step = 0.2;
constexpr double last_part = 0.1;
/// Of the chain that is left out at its beginning.
constexpr double burn_in = 0.02;

using pair = std::array<double, 2>;

struct line_fit {
  std::vector<pair> inputs; // 1, x
  std::vector<double> outputs;
  std::array<pair, 2> posterior_precision{};
  std::array<pair, 2> covariance{};
  pair mean{};
  double stiffness = 0; // largest eigenvalue of the precision
};

line_fit make_fit(std::uint64_t seed) {
  line_fit fit;
  auto& a = fit.posterior_precision;
  a = {pair{precision, 0}, pair{0, precision}};
  pair moment{};
  for (std::uint64_t i = 0; i < points; ++i) {
    const pair x{1, parameters::normal_number(parameters::mix(seed), 2 * i)};
    const double y = 0.5 - 1.5 * x[1] + parameters::normal_number(parameters::mix(seed), 2 * i + 1);
    fit.inputs.push_back(x);
    fit.outputs.push_back(y);
    for (int r = 0; r < 2; ++r) {
      moment[r] += x[r] * y;
      for (int c = 0; c < 2; ++c)
        a[r][c] += x[r] * x[c];
    }
  }
  const double determinant = a[0][0] * a[1][1] - a[0][1] * a[1][0];
  fit.covariance = {pair{a[1][1] / determinant, -a[0][1] / determinant},
                    pair{-a[1][0] / determinant, a[0][0] / determinant}};
  for (int r = 0; r < 2; ++r)
    fit.mean[r] = fit.covariance[r][0] * moment[0] + fit.covariance[r][1] * moment[1];
  const double half_trace = (a[0][0] + a[1][1]) / 2;
  fit.stiffness = half_trace + std::sqrt(half_trace * half_trace - determinant);
  return fit;
}

/// The gradient of the workers' parts of a batch: each a part of the mean over the batch, with its
/// share of the prior, which is l2 = precision / points in the loss.
std::vector<std::array<float, 2>> gradients(const line_fit& fit, std::span<const float> w,
                                            env::random_stream& random, std::uint32_t workers) {
  std::vector<std::array<float, 2>> by_worker(workers);
  for (std::uint64_t m = 0; m < workers; ++m) {
    pair sum{};
    for (auto i = m * batch / workers; i < (m + 1) * batch / workers; ++i) {
      const auto at = random.below(points);
      const auto& x = fit.inputs[at];
      const double residual = x[0] * w[0] + x[1] * w[1] - fit.outputs[at];
      for (int c = 0; c < 2; ++c)
        sum[c] += residual * x[c] + precision / points * w[c];
    }
    for (int c = 0; c < 2; ++c)
      by_worker[m][c] = static_cast<float>(sum[c] / batch);
  }
  return by_worker;
}

/// Sums over a part of the chain, weighted by the step sizes.
struct chain_sums {
  double weight = 0;
  pair first{};
  std::array<pair, 2> second{};

  void add(const pair& w, double step) {
    weight += step;
    for (int r = 0; r < 2; ++r) {
      first[r] += step * w[r];
      for (int c = 0; c < 2; ++c)
        second[r][c] += step * w[r] * w[c];
    }
  }
  double mean(int r) const { return first[r] / weight; }
};

sgld_figures compare(const line_fit& fit, const std::vector<chain_sums>& chain) {
  chain_sums all;
  for (const auto& part : chain) {
    all.weight += part.weight;
    for (int r = 0; r < 2; ++r) {
      all.first[r] += part.first[r];
      for (int c = 0; c < 2; ++c)
        all.second[r][c] += part.second[r][c];
    }
  }
  sgld_figures figures{.exact_mean = fit.mean};
  double difference = 0, norm = 0;
  for (int r = 0; r < 2; ++r) {
    figures.mean[r] = all.mean(r);
    double squares = 0;
    for (const auto& part : chain)
      squares += std::pow(part.weight * (part.mean(r) - all.mean(r)), 2);
    const auto count = static_cast<double>(chain.size());
    const double standard_error = std::sqrt(squares * count / (count - 1)) / all.weight;
    figures.mean_error =
        std::max(figures.mean_error, std::fabs(all.mean(r) - fit.mean[r]) / standard_error);
    for (int c = 0; c < 2; ++c) {
      const double covariance = all.second[r][c] / all.weight - all.mean(r) * all.mean(c);
      difference += std::pow(covariance - fit.covariance[r][c], 2);
      norm += std::pow(fit.covariance[r][c], 2);
    }
  }
  figures.covariance_error = std::sqrt(difference / norm);
  return figures;
}

/// One step of every worker by itself, with the store that holds its noise, and the mean of where
/// they get to.
result<void> average_steps(std::vector<parameters::parameter_store>& stores,
                           std::span<const std::array<float, 2>> gradient, float step,
                           std::array<float, 2>& w) {
  pair sum{};
  const auto workers = static_cast<float>(stores.size());
  for (std::size_t m = 0; m < stores.size(); ++m) {
    const auto before = stores[m].dense_block(0);
    // As if the worker had stood where all do.
    const std::array<float, 2> own{workers * gradient[m][0], workers * gradient[m][1]};
    if (auto applied = stores[m].apply_dense(0, own, step); !applied) return applied;
    const auto after = stores[m].dense_block(0);
    for (int c = 0; c < 2; ++c)
      sum[c] += static_cast<double>(after.values[c]) - before.values[c];
  }
  for (int c = 0; c < 2; ++c)
    w[c] += static_cast<float>(sum[c] / workers);
  return {};
}

} // namespace

result<sgld_figures> run_sgld(const sgld_experiment& experiment) {
  const auto workers = experiment.workers;
  if (workers < 1 || workers > batch || experiment.steps < steps_min)
    return error{errc::invalid_argument, "a chain of " + std::to_string(experiment.steps) +
                                             " steps by " + std::to_string(workers) +
                                             " workers; use at least " + std::to_string(steps_min) +
                                             " steps and 1 to " + std::to_string(batch) +
                                             " workers"};
  const auto fit = make_fit(experiment.seed);
  const auto map = parameters::partition_map::make(2, {0}, 1);
  if (!map) return map.failure();
  std::vector<parameters::parameter_store> stores;
  for (std::uint32_t m = 0; m < (experiment.noise_per_worker ? workers : 1); ++m) {
    auto store = parameters::parameter_store::make(
        {{"line", learning::table_kind::dense, 2}}, *map, 0,
        {.kind = "sgld", .examples = points, .seed = experiment.seed + m}, experiment.seed);
    if (!store) return store.failure();
    stores.push_back(*std::move(store));
  }
  const parameters::rate_schedule schedule{
      .learning_rate = first_step / fit.stiffness,
      .decay = parameters::rate_decay::inverse_sqrt,
      .decay_steps = static_cast<std::uint64_t>(static_cast<double>(experiment.steps) /
                                                (1 / (last_part * last_part) - 1))};

  env::random_stream random(experiment.seed);
  std::vector<chain_sums> chain(parts);
  const auto first = static_cast<std::uint64_t>(burn_in * static_cast<double>(experiment.steps));
  std::array<float, 2> w{};
  for (std::uint64_t t = 0; t < experiment.steps; ++t) {
    const auto step = rate_at(schedule, t, experiment.steps);
    const auto by_worker = gradients(fit, w, random, workers);
    if (experiment.noise_per_worker) {
      if (auto taken = average_steps(stores, by_worker, static_cast<float>(step), w); !taken)
        return taken.failure();
    } else {
      std::array<float, 2> sum{};
      const std::vector<std::span<const float>> addends(by_worker.begin(), by_worker.end());
      if (auto summed = parameters::sum_dense(addends, sum); !summed) return summed.failure();
      if (auto applied = stores[0].apply_dense(0, sum, static_cast<float>(step)); !applied)
        return applied.failure();
      std::ranges::copy(stores[0].dense_block(0).values, w.begin());
    }
    if (t >= first) chain[(t - first) * parts / (experiment.steps - first)].add({w[0], w[1]}, step);
  }
  return compare(fit, chain);
}

} // namespace gradmesh::tools
