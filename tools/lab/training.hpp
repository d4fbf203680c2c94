#pragma once

/// What several methods train, and what comes of it.

#include "tools/lab/experiment.hpp"

#include <string>
#include <vector>

namespace gradmesh::tools::lab {

/// A job on examples that can be learned, with options that are added to it.
experiment training(const rule_set& rules, std::vector<std::string> options);

/// How many different models the experiments end with, to the bit.
result<double> different_models(const std::vector<experiment>& experiments);

/// The distance of what the experiment trains from what a sequential program in float64 does with
/// the same steps, relative to its norm. For strategies that sum steps; `rule`: sgd, momentum,
/// adam.
result<double> distance_to_sequential(const experiment& e, const std::string& rule,
                                      float learning_rate, std::size_t steps);

/// The mean loss of a model over the experiment's examples.
double loss_of(const outcome& o, const learning::dataset& data);

} // namespace gradmesh::tools::lab
