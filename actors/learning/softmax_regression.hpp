#pragma once

/// Softmax regression (multinomial logistic regression) on sparse input:
///   p = softmax(x W + b),   loss = -log p[label]
/// W is the sparse table "weights" (one row of `classes` floats for each feature, begins at zero),
/// b the dense table "bias". On dense input the same model is an `mlp` without hidden layers.
///
/// Failure: a batch or parameters of the wrong shape are refused; a loss that is not finite is
/// reported as it is.

#include "actors/learning/index_cache.hpp"
#include "actors/learning/loss_head.hpp"
#include "actors/learning/model.hpp"
#include "actors/learning/unique_rows.hpp"
#include "gpu/buffer.hpp"

#include <list>

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
  result<void> begin_evaluation(const example_view& batch, const step_plan& plan,
                                const parameter_view& parameters) override;
  step_metrics end() override { return loss_.take(); }
  void abandon() override { loss_.drop(); }
  memory_plan fit(const batch_sizes& examples, std::uint64_t bytes_max) override;

private:
  /// What copies of a step touch: a second one lets them run beside the computations of the step
  /// before.
  struct copied_memory {
    explicit copied_memory(gpu::backend& b)
        : offsets(b), columns(b), values(b), weights(b), bias(b), weight_gradient(b),
          bias_gradient(b) {}
    gpu::buffer<std::uint32_t> offsets, columns;
    gpu::buffer<float> values, weights, bias, weight_gradient, bias_gradient;
  };

  /// Where a step's operands lie on the backend.
  struct operands {
    copied_memory& memory;
    gpu::csr_matrix x;                 // examples x keys
    gpu::device_matrix<const float> w; // keys x classes
    gpu::device_matrix<float> logits;  // examples x classes
  };

  result<void> check(const example_view& batch, const step_plan& plan,
                     const parameter_view& parameters) const;
  /// An evaluation's batches come again, those of training, whose order is drawn anew for each
  /// epoch, do not.
  operands forward(const example_view& batch, const step_plan& plan,
                   const parameter_view& parameters, bool trains);

  data_shape shape_;
  float l2_;
  std::vector<table_spec> tables_;
  mutable unique_rows unique_rows_; // scratch

  std::list<copied_memory> copied_; // steps take turns: the next one's is in front
  gpu::buffer<float> logits_;
  index_cache evaluated_;
  loss_head loss_;
};

} // namespace gradmesh::learning
