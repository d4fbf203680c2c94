#include "tools/simulation/oracle.hpp"

#include <algorithm>
#include <cmath>

namespace gradmesh::simulation {

namespace {

/// p = softmax(z); returns -log p[label].
double softmax(std::vector<double>& z, std::int32_t label) {
  const double largest = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (auto& v : z)
    sum += v = std::exp(v - largest);
  for (auto& v : z)
    v /= sum;
  return -std::log(z[label]);
}

} // namespace

oracle::oracle(const learning::data_shape& shape, const std::vector<std::uint32_t>& hidden,
               const oracle_rule& rule)
    : shape_(shape), widths_{shape.features}, rule_(rule), bias_rule_(rule) {
  widths_.insert(widths_.end(), hidden.begin(), hidden.end());
  widths_.push_back(shape.classes);
  std::size_t size = 0;
  for (std::size_t l = 0; l + 1 < widths_.size(); ++l) {
    weights_at_.push_back(size);
    size += (widths_[l] + 1) * widths_[l + 1];
  }
  parameters_.assign(size, 0);
  states_.resize(size);
}

oracle_sums oracle::evaluate(const learning::example_view& batch) const {
  oracle_sums sums;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto z = forward(example(batch, i)).back();
    sums.correct += std::max_element(z.begin(), z.end()) - z.begin() == batch.labels[i];
    sums.loss += softmax(z, batch.labels[i]);
  }
  return sums;
}

std::vector<double> oracle::gradient(const learning::example_view& batch) const {
  std::vector<double> sum(size(), 0);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto x = example(batch, i);
    const auto outputs = forward(x);
    auto delta = outputs.back();
    softmax(delta, batch.labels[i]);
    delta[batch.labels[i]] -= 1;
    backward(x, outputs, std::move(delta), sum);
  }
  return sum;
}

void oracle::step(const learning::example_view& batch, double scale) {
  step(batch, scale, rule_.learning_rate);
}

void oracle::step(const learning::example_view& batch, double scale, double rate) {
  const auto g = gradient(batch);
  const auto in_step = touched(batch);
  const auto bias = size() - widths_.back();
  for (std::size_t i = 0; i < size(); ++i)
    if (in_step[i])
      parameters_[i] =
          states_[i].updated(i < bias ? rule_ : bias_rule_, parameters_[i], scale * g[i], rate);
}

std::vector<oracle::entry> oracle::example(const learning::example_view& batch,
                                           std::size_t i) const {
  std::vector<entry> x;
  if (shape_.kind == learning::layout::sparse)
    for (auto k = batch.offsets[i]; k < batch.offsets[i + 1]; ++k)
      x.push_back({batch.indices[k], batch.values[k]});
  else
    for (std::size_t f = 0; f < shape_.features; ++f)
      x.push_back({f, batch.values[i * shape_.features + f]});
  return x;
}

std::vector<std::vector<double>> oracle::forward(const std::vector<entry>& x) const {
  std::vector<std::vector<double>> outputs;
  auto input = x;
  for (std::size_t l = 0; l + 1 < widths_.size(); ++l) {
    const auto width = widths_[l + 1];
    const double* weights = &parameters_[weights_at_[l]];
    const double* bias = weights + widths_[l] * width;
    const bool hidden = l + 2 < widths_.size();
    std::vector<double> out(bias, bias + width);
    for (std::size_t j = 0; j < width; ++j) {
      for (const auto& e : input)
        out[j] += e.value * weights[e.feature * width + j];
      if (hidden) out[j] = std::max(out[j], 0.0);
    }
    input.clear();
    for (std::size_t j = 0; j < width; ++j)
      input.push_back({j, out[j]});
    outputs.push_back(std::move(out));
  }
  return outputs;
}

void oracle::backward(const std::vector<entry>& x, const std::vector<std::vector<double>>& outputs,
                      std::vector<double> delta, std::vector<double>& gradient) const {
  for (auto l = weights_at_.size(); l-- > 0;) {
    const auto width = widths_[l + 1];
    double* g = &gradient[weights_at_[l]];
    for (std::size_t j = 0; j < width; ++j)
      g[widths_[l] * width + j] += delta[j];
    if (l == 0) {
      for (const auto& e : x)
        for (std::size_t j = 0; j < width; ++j)
          g[e.feature * width + j] += e.value * delta[j];
      return;
    }
    const auto& input = outputs[l - 1];
    const double* weights = &parameters_[weights_at_[l]];
    std::vector<double> below(widths_[l], 0);
    for (std::size_t i = 0; i < input.size(); ++i)
      for (std::size_t j = 0; j < width; ++j) {
        g[i * width + j] += input[i] * delta[j];
        if (input[i] > 0) below[i] += weights[i * width + j] * delta[j];
      }
    delta = std::move(below);
  }
}

/// Parameters that a step with this batch updates.
std::vector<bool> oracle::touched(const learning::example_view& batch) const {
  std::vector<bool> in_step(size(), true);
  if (shape_.kind == learning::layout::dense) return in_step;
  const auto width = widths_[1];
  std::fill_n(in_step.begin(), shape_.features * width, false);
  for (std::size_t i = 0; i < batch.size(); ++i)
    for (const auto& e : example(batch, i))
      std::fill_n(in_step.begin() + e.feature * width, width, true);
  return in_step;
}

std::vector<double> flat_parameters(const store::model_content& model) {
  std::vector<double> flat;
  if (!model.sparse.empty()) {
    const auto width = model.tables[0].width;
    flat.resize(model.shape.features * width, 0.0);
    const auto& table = model.sparse[0];
    for (std::size_t r = 0; r < table.keys.size(); ++r)
      for (std::size_t c = 0; c < width; ++c)
        flat[table.keys[r] * width + c] = table.rows[r * width + c];
  }
  flat.insert(flat.end(), model.dense.begin(), model.dense.end());
  return flat;
}

double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a.at(i) - b[i]) * (a.at(i) - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

} // namespace gradmesh::simulation
