#pragma once

/// The counting model: parameters that tell how often each example's update was applied.
///
/// It is softmax regression of two classes on examples with a feature each that no other has, at a
/// learning rate so small that every probability stays 1/2 (within 1e-4). So each update of an
/// example moves the weight of its feature and label by the same amount, rate * 1/2 / batch, and no
/// other example's. What is found is counts, exact once rounded, whatever the order of updates;
/// only SGD and steps of equal length count right.

#include "tools/lab/experiment.hpp"

#include "tools/lab/check.hpp"

#include <cstddef>
#include <vector>

namespace gradmesh::tools::lab {

inline constexpr std::size_t counted_batch = 64;
inline constexpr double counted_rate = 1e-3;

/// So many examples.
learning::dataset counted_examples(std::size_t examples);

/// The data is `examples` of them, a multiple of the batch; the options are added to the job's.
void count_examples(experiment& e, std::size_t examples);

/// What an update of one example weighs.
struct counted_steps {
  double learning_rate = counted_rate;
  std::size_t batch = counted_batch;
  double share = 1; // what a push weighs more than its part of the batch
};

/// How often each example was applied.
std::vector<double> applied_counts(const store::model_content& model,
                                   const counted_steps& steps = {});

/// Two epochs in which every push comes twice, and each example is to be applied twice all the
/// same.
result<check> applied_once(experiment e);

/// The greatest distance of a count from what it should be.
double worst_count(const std::vector<double>& counts, double expected);

} // namespace gradmesh::tools::lab
