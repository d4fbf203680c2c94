#pragma once

/// A model whose parameters are one array in the oracle's layout (see tools/simulation/oracle.hpp):
/// does for one step what pull and push do in the mesh.

#include "actors/learning/model.hpp"
#include "gpu/cpu_backend.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

namespace gradmesh::learning {

class flat_model {
public:
  flat_model(const data_shape& shape, const model_options& options,
             gpu::host_memory memory = gpu::host_memory::shared)
      : flat_model(shape, options, gpu::make_cpu_backend(memory)) {}
  flat_model(const data_shape& shape, const model_options& options,
             std::unique_ptr<gpu::backend> backend)
      : shape_(shape), backend_(std::move(backend)) {
    auto made = make_model(options, shape, *backend_);
    REQUIRE(made);
    model_ = std::move(*made);
  }

  learning::model& model() { return *model_; }

  std::size_t size() const { return sparse_size() + dense_size(model_->tables()); }

  /// `gradient` becomes scale times the sum over the batch; zero where the batch touches nothing.
  result<step_metrics> forward_backward(const example_view& batch, const std::vector<float>& flat,
                                        float scale, std::vector<float>& gradient) {
    const auto plan = model_->plan(batch);
    const auto rows = pull(plan, flat);
    constexpr auto poison = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> row_gradient(rows.size(), poison);
    std::vector<float> dense_gradient(size() - sparse_size(), poison);
    const auto metrics =
        model_->forward_backward(batch, plan, parameters(flat, rows), scale,
                                 {dense_gradient, is_sparse() ? spans{row_gradient} : spans{}});
    gradient.assign(sparse_size(), 0);
    for (std::size_t k = 0; k < plan.keys.size(); ++k)
      std::copy_n(&row_gradient[k * shape_.classes], shape_.classes,
                  &gradient[plan.keys[k] * shape_.classes]);
    gradient.insert(gradient.end(), dense_gradient.begin(), dense_gradient.end());
    return metrics;
  }

  result<step_metrics> evaluate(const example_view& batch, const std::vector<float>& flat) {
    const auto plan = model_->plan(batch);
    const auto rows = pull(plan, flat);
    return model_->evaluate(batch, plan, parameters(flat, rows));
  }

private:
  using spans = std::vector<std::span<float>>;

  bool is_sparse() const { return shape_.kind == layout::sparse; }
  std::size_t sparse_size() const {
    return is_sparse() ? std::size_t{shape_.features} * shape_.classes : 0;
  }

  std::vector<float> pull(const step_plan& plan, const std::vector<float>& flat) const {
    std::vector<float> rows;
    for (const auto key : plan.keys) {
      const auto row = flat.begin() + static_cast<std::ptrdiff_t>(key * shape_.classes);
      rows.insert(rows.end(), row, row + shape_.classes);
    }
    return rows;
  }

  parameter_view parameters(const std::vector<float>& flat, const std::vector<float>& rows) const {
    parameter_view view{std::span(flat).subspan(sparse_size()), {}};
    if (is_sparse()) view.sparse.push_back(rows);
    return view;
  }

  data_shape shape_;
  std::unique_ptr<gpu::backend> backend_;
  std::unique_ptr<learning::model> model_;
};

} // namespace gradmesh::learning
