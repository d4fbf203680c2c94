#include "actors/learning/mlp.hpp"

#include "actors/learning/step_checks.hpp"

#include <algorithm>
#include <cmath>

namespace gradmesh::learning {

using gpu::as_matrix;
using gpu::device_matrix;
using gpu::transpose;

mlp::mlp(const data_shape& shape, const std::vector<std::uint32_t>& hidden, float l2,
         gpu::backend& backend)
    : model(backend), shape_(shape), l2_(l2),
      activations_(backend, hidden.size()), turns_{gpu::buffer<float>(backend),
                                                   gpu::buffer<float>(backend)},
      logits_(backend), loss_(backend) {
  std::size_t inputs = shape.features;
  for (const auto width : hidden) {
    const auto he = std::sqrt(6.0F / static_cast<float>(inputs));
    add_layer("layer" + std::to_string(layers_.size()) + ".", inputs, width, he);
    inputs = width;
  }
  const auto glorot = std::sqrt(6.0F / static_cast<float>(inputs + shape.classes));
  add_layer(hidden.empty() ? "" : "output.", inputs, shape.classes, hidden.empty() ? 0 : glorot);
  for (int i = 0; i < 2; ++i)
    copied_.push_back(make_copied_memory());
}

void mlp::add_layer(const std::string& prefix, std::size_t inputs, std::size_t outputs,
                    float init_limit) {
  const auto weights_at = dense_size(tables_);
  const auto init = init_limit > 0 ? initializer::uniform : initializer::zeros;
  tables_.push_back({prefix + "weights", table_kind::dense, inputs * outputs, init, init_limit});
  tables_.push_back({prefix + "bias", table_kind::dense, outputs, initializer::zeros, 0});
  layers_.push_back({inputs, outputs, weights_at});
}

mlp::copied_memory mlp::make_copied_memory() const {
  copied_memory memory{gpu::buffer<float>(backend_), {}, {}};
  for (const auto& l : layers_) {
    memory.parameters.emplace_back(backend_, l.at, l.size());
    memory.gradients.emplace_back(backend_);
  }
  return memory;
}

memory_plan mlp::fit(const batch_sizes& examples, std::uint64_t bytes_max) {
  layer_sizes sizes;
  std::uint64_t scratch = 0;
  for (const auto& l : layers_) {
    sizes.emplace_back(l.inputs, l.outputs);
    scratch = std::max<std::uint64_t>(scratch, backend_.scratch_bytes(examples.largest, l.outputs));
  }
  const auto plan = plan_memory(sizes, examples, scratch, bytes_max);
  copied_.clear();
  for (std::size_t i = 0; i < plan.steps_at_once; ++i)
    copied_.push_back(make_copied_memory());
  next_ = 0;
  activations_.page(plan.paged);
  return plan;
}

result<void> mlp::begin(const example_view& batch, const step_plan&,
                        const parameter_view& parameters, float scale,
                        const gradient_view& gradients) {
  if (auto ok = check(batch, parameters); !ok) return ok;
  if (auto ok = check_parameters("gradients", tables_, 0, as_const(gradients)); !ok) return ok;

  auto p = forward(batch, parameters, true);
  loss_.enqueue(batch.labels, scale, p.logits);
  backward(p, l2_ * scale * static_cast<float>(batch.size()), gradients.dense);
  return {};
}

result<void> mlp::begin_evaluation(const example_view& batch, const step_plan&,
                                   const parameter_view& parameters) {
  if (auto ok = check(batch, parameters); !ok) return ok;
  loss_.enqueue(batch.labels, 0, forward(batch, parameters, false).logits);
  return {};
}

result<void> mlp::check(const example_view& batch, const parameter_view& parameters) const {
  if (auto ok = check_batch(shape_, batch); !ok) return ok;
  return check_parameters("parameters", tables_, 0, parameters);
}

void mlp::upload_ahead(std::span<const float> dense, std::span<const dense_version> blocks) {
  for (auto& parameters : copied_[next_].parameters)
    parameters.upload_ahead(dense, blocks);
}

mlp::pass mlp::forward(const example_view& batch, const parameter_view& parameters, bool trains) {
  pass p{copied_[next_], {}, {}, {}};
  next_ = (next_ + 1) % copied_.size();
  const auto rows = batch.size();
  p.x = as_matrix(p.memory.examples.upload(batch.values), rows, shape_.features);
  auto input = p.x;
  for (std::size_t k = 0; k < layers_.size(); ++k) {
    const auto& l = layers_[k];
    const bool last = k + 1 == layers_.size();
    p.parameters.push_back(p.memory.parameters[k].upload(parameters.dense, parameters.versions));
    const auto weights = as_matrix(p.parameters[k], l.inputs, l.outputs);
    const auto output = last     ? as_matrix(logits_.scratch(rows * l.outputs), rows, l.outputs)
                        : trains ? activations_.room(k, rows, l.outputs)
                                 : turn(k + 1, rows, l.outputs);
    backend_.multiply(1, input, transpose::no, weights, transpose::no, 0, output);
    backend_.add_bias(p.parameters[k].part(l.weights(), l.outputs),
                      last ? gpu::activation::none : gpu::activation::relu, output);
    if (trains && !last) activations_.keep(k);
    if (last) p.logits = output;
    input = output;
  }
  return p;
}

void mlp::backward(pass& p, float l2_scale, std::span<float> gradients) {
  device_matrix<const float> delta = p.logits;
  for (auto k = layers_.size(); k-- > 0;) {
    const auto& l = layers_[k];
    const auto input = k == 0 ? p.x : activations_.back(k - 1);
    if (k >= 2) activations_.bring(k - 2);
    const auto weights = p.parameters[k].part(0, l.weights());
    const auto host_gradient = gradients.subspan(l.at, l.size());
    const auto gradient = p.memory.gradients[k].output(host_gradient);
    const auto weight_gradient = gradient.part(0, l.weights());
    backend_.multiply(1, input, transpose::yes, delta, transpose::no, 0,
                      as_matrix(weight_gradient, l.inputs, l.outputs));
    if (l2_scale > 0) backend_.add_scaled(l2_scale, weights, weight_gradient);
    backend_.sum_rows(delta, gradient.part(l.weights(), l.outputs));
    p.memory.gradients[k].download(host_gradient);
    if (k == 0) break;

    const auto rows = p.x.rows;
    const auto below = turn(k, rows, l.inputs);
    backend_.multiply(1, delta, transpose::no, as_matrix(weights, l.inputs, l.outputs),
                      transpose::yes, 0, below);
    backend_.relu_backward(input, below);
    delta = below;
  }
}

} // namespace gradmesh::learning
