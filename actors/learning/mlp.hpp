#pragma once

/// Multilayer perceptron on dense input:
///   h = x;  h = relu(h W + b) for each hidden layer;  p = softmax(h W + b);  loss = -log p[label]
/// Without hidden layers it is softmax regression.
///
/// Hidden layer k has the dense tables "layer<k>.weights" (inputs x outputs, row-major) and
/// "layer<k>.bias"; the last has "output.weights" and "output.bias", or "weights" and "bias" where
/// it is alone. Weights begin uniform: hidden layers within sqrt(6 / inputs) (He et al. 2015), the
/// last within sqrt(6 / (inputs + outputs)) (Glorot, Bengio 2010). Biases begin at zero, and so do
/// the weights of a model without hidden layers, which has no symmetry to break.
///
/// Failure: a batch or parameters of the wrong shape are refused; a loss that is not finite is
/// reported as it is.

#include "actors/learning/activation_store.hpp"
#include "actors/learning/device_parameters.hpp"
#include "actors/learning/loss_head.hpp"
#include "actors/learning/model.hpp"
#include "gpu/buffer.hpp"

#include <array>

namespace gradmesh::learning {

class mlp final : public model {
public:
  /// hidden: widths of the hidden layers. l2: of the weights, not the biases.
  mlp(const data_shape& shape, const std::vector<std::uint32_t>& hidden, float l2,
      gpu::backend& backend);

  const std::vector<table_spec>& tables() const override { return tables_; }
  step_plan plan(const example_view&) const override { return {}; }
  result<void> begin(const example_view& batch, const step_plan& plan,
                     const parameter_view& parameters, float scale,
                     const gradient_view& gradients) override;
  result<void> begin_evaluation(const example_view& batch, const step_plan& plan,
                                const parameter_view& parameters) override;
  step_metrics end() override { return loss_.take(); }
  void abandon() override { loss_.drop(); }
  void upload_ahead(std::span<const float> dense, std::span<const dense_version> blocks) override;
  memory_plan fit(const batch_sizes& examples, std::uint64_t bytes_max) override;

private:
  /// A layer, and where its tables lie in the dense space.
  struct layer {
    std::size_t inputs;
    std::size_t outputs;
    std::size_t at; // inputs x outputs weights, then the bias

    std::size_t weights() const { return inputs * outputs; }
    std::size_t size() const { return weights() + outputs; }
  };

  /// What copies of a step touch: a second one lets them run beside the products of the step
  /// before. By layer, so that on a device a layer's parameters come and its gradients leave while
  /// others are computed.
  struct copied_memory {
    gpu::buffer<float> examples;
    std::vector<device_parameters> parameters;
    std::vector<gpu::buffer<float>> gradients;
  };

  /// A step that is being enqueued.
  struct pass {
    copied_memory& memory;
    gpu::device_matrix<const float> x;
    std::vector<gpu::device_span<const float>> parameters; // by layer
    gpu::device_matrix<float> logits;
  };

  void add_layer(const std::string& prefix, std::size_t inputs, std::size_t outputs,
                 float init_limit);
  copied_memory make_copied_memory() const;
  result<void> check(const example_view& batch, const parameter_view& parameters) const;
  /// Up to the logits. `trains`: a backward pass follows.
  pass forward(const example_view& batch, const parameter_view& parameters, bool trains);
  /// What layers take turns in: for the one whose inputs they are, the outputs of an evaluation's
  /// layers, or what comes back to them.
  gpu::device_matrix<float> turn(std::size_t k, std::size_t rows, std::size_t columns) {
    return gpu::as_matrix(turns_[k % 2].scratch(rows * columns), rows, columns);
  }
  /// From the gradient by the logits, which stands where the logits were.
  void backward(pass& p, float l2_scale, std::span<float> gradients);

  data_shape shape_;
  float l2_;
  std::vector<table_spec> tables_;
  std::vector<layer> layers_;
  std::vector<copied_memory> copied_; // steps take turns
  std::size_t next_ = 0;
  // What only computations touch, which follow each other.
  activation_store activations_; // of a training step's hidden layers
  std::array<gpu::buffer<float>, 2> turns_;
  gpu::buffer<float> logits_;
  loss_head loss_;
};

} // namespace gradmesh::learning
