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

#include "actors/learning/loss_head.hpp"
#include "actors/learning/model.hpp"
#include "gpu/buffer.hpp"

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
  result<step_metrics> end() override { return loss_.wait(); }
  result<step_metrics> evaluate(const example_view& batch, const step_plan& plan,
                                const parameter_view& parameters) override;
  std::uint64_t device_bytes(std::size_t examples) const override;

private:
  /// A layer, where its tables lie in the dense space, and its memory: of its own, so that on a
  /// device its parameters come and its gradients leave while other layers are computed.
  struct layer {
    std::size_t inputs;
    std::size_t outputs;
    std::size_t at; // inputs x outputs weights, then the bias
    gpu::buffer<float> parameter_memory;
    gpu::buffer<float> gradient_memory;
    gpu::buffer<float> activation_memory;
    gpu::buffer<float> delta_memory;
    // Of the step in progress.
    gpu::device_matrix<float> activation; // examples x outputs
    gpu::device_span<const float> parameters;

    std::size_t weights() const { return inputs * outputs; }
    std::size_t size() const { return weights() + outputs; }
  };

  void add_layer(const std::string& prefix, std::size_t inputs, std::size_t outputs,
                 float init_limit);
  result<void> check(const example_view& batch, const parameter_view& parameters) const;
  /// Fills every layer's activation; the last layer's are the logits.
  void forward(gpu::device_matrix<const float> x, std::span<const float> parameters);
  /// From the gradient by the logits, which stands where the logits were.
  void backward(gpu::device_matrix<const float> x, float l2_scale, std::span<float> gradients);
  gpu::device_matrix<const float> upload(const example_view& batch);

  data_shape shape_;
  float l2_;
  gpu::backend& backend_;
  std::vector<table_spec> tables_;
  std::vector<layer> layers_;
  gpu::buffer<float> examples_;
  loss_head loss_;
};

} // namespace gradmesh::learning
