/// METHODS 19, stochastic gradient Langevin dynamics (Welling and Teh, ICML 2011): noise is added
/// once for each applied update, at the server.
///
/// The posterior is known where examples say nothing of the weights: with features that are all 0
/// it is the prior, normal with precision n l2 (n examples, l2/2 |w|^2 in the loss), here 1. Each
/// of the weights is a chain of its own, so their values at the end are as many samples.

#include "tools/lab/methods.hpp"
#include "tools/lab/sgld_chain.hpp"
#include "tools/lab/training.hpp"

#include <cmath>

namespace gradmesh::tools::lab {
namespace {

constexpr std::uint32_t features = 1000;
constexpr std::uint32_t classes = 4;
constexpr std::size_t examples = 64; // of one step; l2 is 1 / 64

/// Chains of ten relaxation times, 2 / rate steps each.
experiment chains(const rule_set& rules, std::size_t workers) {
  experiment e;
  e.rules = rules;
  e.workers = workers;
  e.options = {"job.deterministic=true", "job.epochs=400", "model.l2=0.015625",
               "optimizer.type=sgld", "optimizer.learning_rate=0.05"};
  e.data = {{learning::layout::dense, features, classes}, {}, {}, {}, {}};
  e.data.values.assign(examples * features, 0.0F);
  for (std::size_t i = 0; i < examples; ++i)
    e.data.labels.push_back(static_cast<std::int32_t>(i % classes));
  return e;
}

/// The same for a posterior that examples shape.
result<void> posterior_of_a_line(checks& found) {
  for (const std::uint32_t workers : {1U, 4U}) {
    const auto chain = run_sgld({.workers = workers});
    if (!chain) return chain.failure();
    const auto by = "-by-" + std::to_string(workers);
    found.push_back(at_most("line-mean" + by,
                            "a line fitted to points: distance of the chain's mean from that of "
                            "the posterior, in standard errors",
                            chain->mean_error, 3));
    found.push_back(at_most("line-covariance" + by,
                            "relative distance of its covariance from that of the posterior",
                            chain->covariance_error, 0.1));
  }
  return {};
}

} // namespace

result<checks> sgld(const rule_set& rules) {
  checks found;
  for (const std::size_t workers : {1, 4}) {
    const auto done = run(chains(rules, workers));
    if (!done) return done.failure();
    const auto weights = static_cast<double>(features * classes);
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < features * classes; ++i) {
      const double w = done->model.dense.at(i);
      sum += w;
      squares += w * w;
    }
    const double mean = sum / weights;
    const double variance = squares / weights - mean * mean;
    const auto by = workers == 1 ? "-by-1" : "-by-4";
    found.push_back(at_most(std::string("mean") + by,
                            "distance of the samples' mean from that of "
                            "the posterior, in standard errors",
                            std::abs(mean) * std::sqrt(weights / variance), 3));
    found.push_back(between(std::string("variance") + by,
                            "variance of the samples by that of the posterior", variance, 0.9,
                            1.1));
  }
  if (auto line = posterior_of_a_line(found); !line) return line.failure();
  return found;
}

} // namespace gradmesh::tools::lab
