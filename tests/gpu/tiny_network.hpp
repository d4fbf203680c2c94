#pragma once

/// A network of two layers whose steps go through all that a step of a model does on a backend:
/// parameters up, layer by layer, products, loss, gradients down, layer by layer. With host memory
/// of the backend where the model in actors/learning has its own.

#include "gpu/buffer.hpp"
#include "gpu/host_buffer.hpp"
#include "tests/gpu/operand.hpp"

#include <algorithm>

namespace gradmesh::gpu {

class tiny_network {
public:
  static constexpr std::size_t inputs = 37, hidden = 50, classes = 11, examples = 24;

  explicit tiny_network(backend& device)
      : device_(device), x_(device), labels_(device), h_(device), z_(device), below_(device),
        metrics_(device), host_metrics_(device) {
    operand_source source(99);
    for (const auto count : {inputs * hidden, hidden, hidden * classes, classes}) {
      const auto values = source.floats(count);
      tables_.push_back({host_buffer<float>(device), host_buffer<float>(device),
                         buffer<float>(device), buffer<float>(device), count});
      auto& table = tables_.back();
      std::ranges::transform(values, table.host.room(count).begin(),
                             [](float v) { return 0.3F * v; });
    }
  }

  /// One step of SGD on random examples; the loss.
  double step(std::uint64_t number) {
    operand_source source(number);
    const auto values = source.floats(examples * inputs);
    std::vector<std::int32_t> labels;
    for (std::size_t i = 0; i < examples; ++i) // one that can be learnt
      labels.push_back(static_cast<std::int32_t>(
          std::ranges::max_element(values.begin() + i * inputs,
                                   values.begin() + i * inputs + classes) -
          (values.begin() + i * inputs)));
    const auto loss = forward_backward(values, labels);
    for (auto& table : tables_) {
      const auto w = table.host.room(table.count), g = table.host_gradient.room(table.count);
      for (std::size_t i = 0; i < w.size(); ++i)
        w[i] -= 0.5F * g[i];
    }
    return loss;
  }

  std::vector<float> parameters() {
    std::vector<float> all;
    for (auto& table : tables_) {
      const auto values = table.host.room(table.count);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

private:
  struct layer_table {
    host_buffer<float> host, host_gradient;
    buffer<float> values, gradient;
    std::size_t count;
  };

  double forward_backward(const std::vector<float>& values,
                          const std::vector<std::int32_t>& labels) {
    const auto x = as_matrix(x_.upload(values), examples, inputs);
    const auto h = as_matrix(h_.scratch(examples * hidden), examples, hidden);
    const auto z = as_matrix(z_.scratch(examples * classes), examples, classes);
    const auto below = as_matrix(below_.scratch(examples * hidden), examples, hidden);
    device_.multiply(1, x, transpose::no, as_matrix(up(0), inputs, hidden), transpose::no, 0, h);
    device_.add_bias(up(1), activation::relu, h);
    const auto w = as_matrix(up(2), hidden, classes);
    device_.multiply(1, h, transpose::no, w, transpose::no, 0, z);
    device_.add_bias(up(3), activation::none, z);
    const auto metrics = host_metrics_.room(1);
    device_.softmax_cross_entropy(labels_.upload(labels), 1.0F / examples, z,
                                  metrics_.output(metrics));
    metrics_.download(metrics);
    device_.multiply(1, h, transpose::yes, z, transpose::no, 0,
                     as_matrix(gradient(2), hidden, classes));
    down(2);
    device_.sum_rows(z, gradient(3));
    down(3);
    device_.multiply(1, z, transpose::no, w, transpose::yes, 0, below);
    device_.relu_backward(h, below);
    device_.multiply(1, x, transpose::yes, below, transpose::no, 0,
                     as_matrix(gradient(0), inputs, hidden));
    down(0);
    device_.sum_rows(below, gradient(1));
    down(1);
    REQUIRE_MESSAGE(!device_.wait(), device_.wait().text);
    return metrics[0].loss_sum / examples;
  }

  device_span<const float> up(std::size_t t) {
    return tables_[t].values.upload(tables_[t].host.room(tables_[t].count));
  }
  device_span<float> gradient(std::size_t t) {
    return tables_[t].gradient.output(tables_[t].host_gradient.room(tables_[t].count));
  }
  void down(std::size_t t) {
    tables_[t].gradient.download(tables_[t].host_gradient.room(tables_[t].count));
  }

  backend& device_;
  std::vector<layer_table> tables_;
  buffer<float> x_;
  buffer<std::int32_t> labels_;
  buffer<float> h_, z_, below_;
  buffer<batch_metrics> metrics_;
  host_buffer<batch_metrics> host_metrics_;
};

} // namespace gradmesh::gpu
