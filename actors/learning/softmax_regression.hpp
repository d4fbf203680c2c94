#pragma once

/// Softmax regression (multinomial logistic regression) on sparse input:
///   p = softmax(x W + b),   loss = -log p[label]
/// W is the sparse table "weights" (one row of `classes` floats for each feature, begins at zero),
/// b the dense table "bias". On dense input the same model is an `mlp` without hidden layers.
///
/// Failure: a batch or parameters of the wrong shape are refused; a loss that is not finite is
/// reported as it is.

#include "actors/learning/loss_head.hpp"
#include "actors/learning/model.hpp"
#include "actors/learning/unique_rows.hpp"
#include "gpu/buffer.hpp"

namespace gradmesh::learning {

class softmax_regression final : public model {
public:
  /// l2: of the weights, not the bias.
  softmax_regression(const data_shape& shape, float l2, gpu::backend& backend);

  const std::vector<table_spec>& tables() const override { return tables_; }

  /// A damaged batch gives an empty plan; `forward_backward` then says what is wrong with it.
  step_plan plan(const example_view& batch) const override;

  result<void> begin(const example_view& batch, const step_plan& plan,
                     const parameter_view& parameters, float scale,
                     const gradient_view& gradients) override;
  result<step_metrics> end() override { return loss_.wait(); }
  result<step_metrics> evaluate(const example_view& batch, const step_plan& plan,
                                const parameter_view& parameters) override;
  std::uint64_t device_bytes(std::size_t examples) const override;

private:
  /// Where a step's operands lie on the backend.
  struct operands {
    gpu::csr_matrix x;                 // examples x keys
    gpu::device_matrix<const float> w; // keys x classes
    gpu::device_matrix<float> logits;  // examples x classes
  };

  result<void> check(const example_view& batch, const step_plan& plan,
                     const parameter_view& parameters) const;
  operands forward(const example_view& batch, const step_plan& plan,
                   const parameter_view& parameters);
  data_shape shape_;
  float l2_;
  gpu::backend& backend_;
  std::vector<table_spec> tables_;
  mutable unique_rows unique_rows_; // scratch

  gpu::buffer<std::uint32_t> offsets_, columns_;
  gpu::buffer<float> values_, weights_, bias_, logits_, weight_gradient_, bias_gradient_;
  loss_head loss_;
};

} // namespace gradmesh::learning
