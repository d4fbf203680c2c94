#pragma once

/// A second, independent implementation of training in float64: one example and one element after
/// another, no backend, no shards, no messages. Runs of the mesh are compared with it. It shares
/// with the library only the description of examples and the layout of parameters.
///
/// Model: softmax regression (no hidden widths) or an MLP with ReLU, on sparse or dense examples.
/// Parameters are one array: for each layer weights (inputs x outputs, row-major), then bias. For
/// sparse softmax regression the weights stand for the sparse table, row by feature.
///
/// Updates of sparse weights are lazy as on a shard: a row's state changes only in a step whose
/// batch touches the row, and Adam counts the updates of each row by itself.

#include "actors/learning/dataset.hpp"
#include "actors/store/model_content.hpp"
#include "tools/simulation/rule_oracle.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gradmesh::simulation {

struct oracle_sums {
  double loss = 0; // cross-entropy in nats
  std::uint64_t correct = 0;
};

class oracle {
public:
  oracle(const learning::data_shape& shape, const std::vector<std::uint32_t>& hidden,
         const oracle_rule& rule = {});

  std::size_t size() const { return parameters_.size(); }
  /// Begin as zeros; set them to begin elsewhere.
  std::vector<double>& parameters() { return parameters_; }
  const std::vector<double>& parameters() const { return parameters_; }

  oracle_sums evaluate(const learning::example_view& batch) const;

  /// The sum over the batch of the gradient of the loss.
  std::vector<double> gradient(const learning::example_view& batch) const;

  /// One step of training by `scale` times `gradient(batch)`, at the rule's learning rate or
  /// another.
  void step(const learning::example_view& batch, double scale);
  void step(const learning::example_view& batch, double scale, double rate);

  /// The bias (of the last layer, if there are several) has another kind of rule than the rest.
  void set_bias_rule(const std::string& kind) { bias_rule_.kind = kind; }

private:
  struct entry {
    std::size_t feature;
    double value;
  };

  std::vector<entry> example(const learning::example_view& batch, std::size_t i) const;
  /// Outputs of every layer; the last are the logits.
  std::vector<std::vector<double>> forward(const std::vector<entry>& x) const;
  void backward(const std::vector<entry>& x, const std::vector<std::vector<double>>& outputs,
                std::vector<double> delta, std::vector<double>& gradient) const;
  std::vector<bool> touched(const learning::example_view& batch) const;

  learning::data_shape shape_;
  std::vector<std::size_t> widths_;     // features, hidden layers, classes
  std::vector<std::size_t> weights_at_; // of each layer; its bias follows its weights
  oracle_rule rule_;
  oracle_rule bias_rule_;
  std::vector<double> parameters_;
  std::vector<rule_oracle> states_; // of each parameter
};

/// A model's parameters in the order of oracle::parameters: the weights by feature, zeros where
/// there is no row, and what is dense.
std::vector<double> flat_parameters(const store::model_content& model);

/// |a - b| / |b| in the Euclidean norm.
double relative_error(const std::vector<double>& a, const std::vector<double>& b);

} // namespace gradmesh::simulation
