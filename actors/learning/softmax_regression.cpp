#include "actors/learning/softmax_regression.hpp"

#include "actors/learning/step_checks.hpp"

#include <algorithm>

namespace gradmesh::learning {

namespace {

/// Of a device's memory for the index paths of evaluations; less where there is less.
constexpr std::size_t kept_index_bytes = std::size_t{64} << 20;

} // namespace

softmax_regression::softmax_regression(const data_shape& shape, float l2, gpu::backend& backend)
    : model(backend), shape_(shape),
      l2_(l2), tables_{{"weights", table_kind::sparse, shape.classes, initializer::zeros, 0},
                       {"bias", table_kind::dense, shape.classes, initializer::zeros, 0}},
      logits_(backend), evaluated_(backend, kept_index_bytes), loss_(backend) {
  for (int i = 0; i < 2; ++i)
    copied_.emplace_back(backend);
}

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

  const auto at = forward(batch, plan, parameters, true);
  loss_.enqueue(batch.labels, scale, at.logits);

  const auto weight_gradient = at.memory.weight_gradient.output(gradients.sparse[0]);
  backend_.fill(0, weight_gradient);
  backend_.add_sparse_transposed(at.x, at.logits,
                                 gpu::as_matrix(weight_gradient, plan.keys.size(), shape_.classes));
  if (l2_ > 0)
    backend_.add_scaled(l2_ * scale * static_cast<float>(batch.size()), at.w.elements(),
                        weight_gradient);
  backend_.sum_rows(at.logits, at.memory.bias_gradient.output(gradients.dense));

  at.memory.weight_gradient.download(gradients.sparse[0]);
  at.memory.bias_gradient.download(gradients.dense);
  return {};
}

memory_plan softmax_regression::fit(const batch_sizes& sizes, std::uint64_t bytes_max) {
  const auto examples = sizes.largest;
  const auto shared =
      block_of(examples * shape_.classes) + backend_.scratch_bytes(examples, shape_.classes);
  // Labels, metrics and offsets, and the bias with its gradient.
  const auto own =
      block_of(examples) + block_of(1) + block_of(examples + 1) + 2 * block_of(shape_.classes);
  const std::size_t at_once = shared + 2 * own <= bytes_max ? 2 : 1;
  copied_.clear();
  for (std::size_t i = 0; i < at_once; ++i)
    copied_.emplace_back(backend_);
  const auto needed = shared + at_once * own;
  // The rows of parameters need most of the rest.
  evaluated_.limit(
      std::min<std::uint64_t>(kept_index_bytes, bytes_max > needed ? (bytes_max - needed) / 8 : 0));
  return {at_once, 0, needed, 0};
}

result<void> softmax_regression::begin_evaluation(const example_view& batch, const step_plan& plan,
                                                  const parameter_view& parameters) {
  if (auto ok = check(batch, plan, parameters); !ok) return ok;
  loss_.enqueue(batch.labels, 0, forward(batch, plan, parameters, false).logits);
  return {};
}

result<void> softmax_regression::check(const example_view& batch, const step_plan& plan,
                                       const parameter_view& parameters) const {
  if (auto ok = check_batch(shape_, batch); !ok) return ok;
  if (auto ok = check_plan(batch, plan); !ok) return ok;
  return check_parameters("parameters", tables_, plan.keys.size(), parameters);
}

softmax_regression::operands softmax_regression::forward(const example_view& batch,
                                                         const step_plan& plan,
                                                         const parameter_view& parameters,
                                                         bool trains) {
  const auto examples = batch.size();
  const std::size_t classes = shape_.classes;
  copied_.splice(copied_.end(), copied_, copied_.begin());
  operands at{copied_.back(), {}, {}, {}};
  if (examples > 0) {
    const auto first = batch.offsets.front();
    const auto index = trains ? index_cache::path{at.memory.offsets.upload(batch.offsets),
                                                  at.memory.columns.upload(plan.rows)}
                              : evaluated_.find(batch.offsets, plan.rows);
    at.x = {index.offsets, index.columns,
            at.memory.values.upload(batch.values.subspan(first, entry_count(batch))), first};
  }
  at.w = gpu::as_matrix(at.memory.weights.upload(parameters.sparse[0]), plan.keys.size(), classes);
  at.logits = gpu::as_matrix(logits_.scratch(examples * classes), examples, classes);

  backend_.multiply_sparse(at.x, at.w, at.logits);
  backend_.add_bias(at.memory.bias.upload(parameters.dense), gpu::activation::none, at.logits);
  return at;
}

} // namespace gradmesh::learning
