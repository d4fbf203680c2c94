#include "actors/learning/model.hpp"

#include "actors/learning/mlp.hpp"
#include "actors/learning/softmax_regression.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace gradmesh::learning {

namespace {

/// 16 GiB of float parameters; a width typed with a digit too many ends here.
constexpr std::uint64_t dense_parameters_max = std::uint64_t{1} << 32;

error invalid(std::string text) {
  return {errc::invalid_argument, std::move(text)};
}

result<void> check_shape(const data_shape& shape) {
  constexpr std::uint32_t width_max = std::numeric_limits<std::int32_t>::max();
  if (shape.features == 0 || shape.features > width_max)
    return invalid(fmt::format("data has {} features where a model takes 1..{}; check that the "
                               "data source is not empty",
                               shape.features, width_max));
  if (shape.classes < 2 || shape.classes > width_max)
    return invalid(fmt::format("data has {} classes where a classifier takes 2..{}; check the "
                               "labels of the data source",
                               shape.classes, width_max));
  return {};
}

result<void> check_widths(const std::vector<std::uint32_t>& hidden, const data_shape& shape) {
  std::uint64_t parameters = 0;
  std::uint64_t inputs = shape.features;
  const auto add = [&](std::uint64_t outputs) {
    parameters += (inputs + 1) * outputs;
    inputs = outputs;
    return outputs > 0 && parameters <= dense_parameters_max;
  };
  for (const auto width : hidden)
    if (!add(width))
      return invalid(fmt::format("hidden layer of width {} is empty or takes the model beyond {} "
                                 "parameters; choose model.hidden between 1 and a few thousand",
                                 width, dense_parameters_max));
  if (!add(shape.classes))
    return invalid(fmt::format("{} features and {} classes take the model beyond {} parameters; "
                               "use sparse data or fewer features",
                               shape.features, shape.classes, dense_parameters_max));
  return {};
}

} // namespace

step_metrics& step_metrics::operator+=(const step_metrics& other) {
  loss_sum += other.loss_sum;
  correct += other.correct;
  examples += other.examples;
  return *this;
}

result<step_metrics> model::forward_backward(const example_view& batch, const step_plan& plan,
                                             const parameter_view& parameters, float scale,
                                             const gradient_view& gradients) {
  return wait_for(begin(batch, plan, parameters, scale, gradients));
}

result<step_metrics> model::evaluate(const example_view& batch, const step_plan& plan,
                                     const parameter_view& parameters) {
  return wait_for(begin_evaluation(batch, plan, parameters));
}

result<step_metrics> model::wait_for(const result<void>& begun) {
  if (!begun) return begun.failure();
  if (const auto& fault = backend_.wait()) {
    abandon();
    return error{errc::io_failed, fault.text};
  }
  return end();
}

result<std::unique_ptr<model>> make_model(const model_options& options, const data_shape& shape,
                                          gpu::backend& backend) {
  if (auto ok = check_shape(shape); !ok) return ok.failure();
  if (!std::isfinite(options.l2) || options.l2 < 0)
    return invalid(fmt::format("model.l2 is {}; it must be finite and not negative", options.l2));

  const bool sparse = shape.kind == layout::sparse;
  if (options.kind == "softmax" && sparse)
    return std::unique_ptr<model>(std::make_unique<softmax_regression>(shape, options.l2, backend));

  std::vector<std::uint32_t> hidden;
  if (options.kind == "mlp") {
    if (sparse)
      return invalid("model.type = mlp takes dense data (IDX, CSV) and the data is sparse; choose "
                     "model.type = softmax");
    if (options.hidden.empty())
      return invalid("model.type = mlp without hidden layers; set model.hidden, for example to "
                     "256,128, or choose model.type = softmax");
    hidden = options.hidden;
  } else if (options.kind != "softmax") {
    return invalid(fmt::format("model.type = {} is unknown; choose softmax or mlp", options.kind));
  }
  if (auto ok = check_widths(hidden, shape); !ok) return ok.failure();
  return std::unique_ptr<model>(std::make_unique<mlp>(shape, hidden, options.l2, backend));
}

} // namespace gradmesh::learning
