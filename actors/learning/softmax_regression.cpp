#include "actors/learning/softmax_regression.hpp"

#include "actors/learning/step_checks.hpp"

namespace gradmesh::learning {

softmax_regression::softmax_regression(const data_shape& shape, float l2, gpu::backend& backend)
    : shape_(shape), l2_(l2),
      backend_(backend), tables_{{"weights", table_kind::sparse, shape.classes, initializer::zeros,
                                  0},
                                 {"bias", table_kind::dense, shape.classes, initializer::zeros, 0}},
      offsets_(backend), columns_(backend), values_(backend), weights_(backend), bias_(backend),
      logits_(backend), weight_gradient_(backend), bias_gradient_(backend), loss_(backend) {}

step_plan softmax_regression::plan(const example_view& batch) const {
  if (batch.size() == 0 || !check_batch(shape_, batch)) return {};
  return unique_rows_.find(batch.indices.subspan(batch.offsets.front(), entry_count(batch)));
}

result<void> softmax_regression::begin(const example_view& batch, const step_plan& plan,
                                       const parameter_view& parameters, float scale,
                                       const gradient_view& gradients) {
  if (auto ok = check(batch, plan, parameters); !ok) return ok;
  if (auto ok = check_parameters("gradients", tables_, plan.keys.size(), as_const(gradients)); !ok)
    return ok;

  const auto at = forward(batch, plan, parameters);
  loss_.enqueue(batch.labels, scale, at.logits);

  const auto weight_gradient = weight_gradient_.output(gradients.sparse[0]);
  backend_.fill(0, weight_gradient);
  backend_.add_sparse_transposed(at.x, at.logits,
                                 gpu::as_matrix(weight_gradient, plan.keys.size(), shape_.classes));
  if (l2_ > 0)
    backend_.add_scaled(l2_ * scale * static_cast<float>(batch.size()), at.w.elements(),
                        weight_gradient);
  backend_.sum_rows(at.logits, bias_gradient_.output(gradients.dense));

  weight_gradient_.download(gradients.sparse[0]);
  bias_gradient_.download(gradients.dense);
  return {};
}

std::uint64_t softmax_regression::device_bytes(std::size_t examples) const {
  // The logits, labels and offsets, and the bias with its gradient.
  return (examples * (shape_.classes + 2) + 2 * std::uint64_t{shape_.classes}) * sizeof(float);
}

result<step_metrics> softmax_regression::evaluate(const example_view& batch, const step_plan& plan,
                                                  const parameter_view& parameters) {
  if (auto ok = check(batch, plan, parameters); !ok) return ok.failure();
  loss_.enqueue(batch.labels, 0, forward(batch, plan, parameters).logits);
  return loss_.wait();
}

result<void> softmax_regression::check(const example_view& batch, const step_plan& plan,
                                       const parameter_view& parameters) const {
  if (auto ok = check_batch(shape_, batch); !ok) return ok;
  if (auto ok = check_plan(batch, plan); !ok) return ok;
  return check_parameters("parameters", tables_, plan.keys.size(), parameters);
}

softmax_regression::operands softmax_regression::forward(const example_view& batch,
                                                         const step_plan& plan,
                                                         const parameter_view& parameters) {
  const auto examples = batch.size();
  const std::size_t classes = shape_.classes;
  operands at;
  if (examples > 0) {
    const auto first = batch.offsets.front();
    at.x = {offsets_.upload(batch.offsets), columns_.upload(plan.rows),
            values_.upload(batch.values.subspan(first, entry_count(batch))), first};
  }
  at.w = gpu::as_matrix(weights_.upload(parameters.sparse[0]), plan.keys.size(), classes);
  at.logits = gpu::as_matrix(logits_.scratch(examples * classes), examples, classes);

  backend_.multiply_sparse(at.x, at.w, at.logits);
  backend_.add_bias(bias_.upload(parameters.dense), gpu::activation::none, at.logits);
  return at;
}

} // namespace gradmesh::learning
