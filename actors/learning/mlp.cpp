#include "actors/learning/mlp.hpp"

#include "actors/learning/step_checks.hpp"

#include <cmath>

namespace gradmesh::learning {

using gpu::as_matrix;
using gpu::device_matrix;
using gpu::device_span;
using gpu::transpose;

mlp::mlp(const data_shape& shape, const std::vector<std::uint32_t>& hidden, float l2,
         gpu::backend& backend)
    : shape_(shape), l2_(l2), backend_(backend), examples_(backend), loss_(backend) {
  std::size_t inputs = shape.features;
  for (const auto width : hidden) {
    const auto he = std::sqrt(6.0F / static_cast<float>(inputs));
    add_layer("layer" + std::to_string(layers_.size()) + ".", inputs, width, he);
    inputs = width;
  }
  const auto glorot = std::sqrt(6.0F / static_cast<float>(inputs + shape.classes));
  add_layer(hidden.empty() ? "" : "output.", inputs, shape.classes, hidden.empty() ? 0 : glorot);
}

void mlp::add_layer(const std::string& prefix, std::size_t inputs, std::size_t outputs,
                    float init_limit) {
  const auto weights_at = dense_size(tables_);
  const auto init = init_limit > 0 ? initializer::uniform : initializer::zeros;
  tables_.push_back({prefix + "weights", table_kind::dense, inputs * outputs, init, init_limit});
  tables_.push_back({prefix + "bias", table_kind::dense, outputs, initializer::zeros, 0});
  layers_.push_back({inputs,
                     outputs,
                     weights_at,
                     gpu::buffer<float>(backend_),
                     gpu::buffer<float>(backend_),
                     gpu::buffer<float>(backend_),
                     gpu::buffer<float>(backend_),
                     {},
                     {}});
}

result<void> mlp::begin(const example_view& batch, const step_plan&,
                        const parameter_view& parameters, float scale,
                        const gradient_view& gradients) {
  if (auto ok = check(batch, parameters); !ok) return ok;
  if (auto ok = check_parameters("gradients", tables_, 0, as_const(gradients)); !ok) return ok;

  const auto x = upload(batch);
  forward(x, parameters.dense);
  loss_.enqueue(batch.labels, scale, layers_.back().activation);
  backward(x, l2_ * scale * static_cast<float>(batch.size()), gradients.dense);
  return {};
}

result<step_metrics> mlp::evaluate(const example_view& batch, const step_plan&,
                                   const parameter_view& parameters) {
  if (auto ok = check(batch, parameters); !ok) return ok.failure();
  forward(upload(batch), parameters.dense);
  loss_.enqueue(batch.labels, 0, layers_.back().activation);
  return loss_.wait();
}

result<void> mlp::check(const example_view& batch, const parameter_view& parameters) const {
  if (auto ok = check_batch(shape_, batch); !ok) return ok;
  return check_parameters("parameters", tables_, 0, parameters);
}

device_matrix<const float> mlp::upload(const example_view& batch) {
  return as_matrix(examples_.upload(batch.values), batch.size(), shape_.features);
}

std::uint64_t mlp::device_bytes(std::size_t examples) const {
  std::uint64_t floats = examples * shape_.features;
  for (const auto& l : layers_) // activations, and what comes back through the layer
    floats += 2 * l.size() + examples * (l.outputs + (&l == &layers_.front() ? 0 : l.inputs));
  return floats * sizeof(float);
}

void mlp::forward(device_matrix<const float> x, std::span<const float> parameters) {
  auto input = x;
  for (auto& l : layers_) {
    const bool last = &l == &layers_.back();
    l.parameters = l.parameter_memory.upload(parameters.subspan(l.at, l.size()));
    const auto weights = as_matrix(l.parameters, l.inputs, l.outputs);
    l.activation = as_matrix(l.activation_memory.scratch(x.rows * l.outputs), x.rows, l.outputs);
    backend_.multiply(1, input, transpose::no, weights, transpose::no, 0, l.activation);
    backend_.add_bias(l.parameters.part(l.weights(), l.outputs),
                      last ? gpu::activation::none : gpu::activation::relu, l.activation);
    input = l.activation;
  }
}

void mlp::backward(device_matrix<const float> x, float l2_scale, std::span<float> gradients) {
  device_matrix<const float> delta = layers_.back().activation;
  for (auto k = layers_.size(); k-- > 0;) {
    auto& l = layers_[k];
    const auto input = k == 0 ? x : device_matrix<const float>(layers_[k - 1].activation);
    const auto weights = l.parameters.part(0, l.weights());
    const auto host_gradient = gradients.subspan(l.at, l.size());
    const auto gradient = l.gradient_memory.output(host_gradient);
    const auto weight_gradient = gradient.part(0, l.weights());
    backend_.multiply(1, input, transpose::yes, delta, transpose::no, 0,
                      as_matrix(weight_gradient, l.inputs, l.outputs));
    if (l2_scale > 0) backend_.add_scaled(l2_scale, weights, weight_gradient);
    backend_.sum_rows(delta, gradient.part(l.weights(), l.outputs));
    l.gradient_memory.download(host_gradient);
    if (k == 0) break;

    const auto below = as_matrix(l.delta_memory.scratch(x.rows * l.inputs), x.rows, l.inputs);
    backend_.multiply(1, delta, transpose::no, as_matrix(weights, l.inputs, l.outputs),
                      transpose::yes, 0, below);
    backend_.relu_backward(input, below);
    delta = below;
  }
}

} // namespace gradmesh::learning
