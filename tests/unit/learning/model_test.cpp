#include "tests/support/random_data.hpp"
#include "tests/unit/learning/flat_model.hpp"

#include <cmath>
#include <string>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

const data_shape sparse_shape{layout::sparse, 40, 3};
const data_shape dense_shape{layout::dense, 5, 3};

std::string refusal(const model_options& options, const data_shape& shape) {
  const auto backend = gpu::make_cpu_backend();
  const auto made = make_model(options, shape, *backend);
  REQUIRE_FALSE(made);
  CHECK(made.failure().code == errc::invalid_argument);
  return made.failure().text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What forward_backward says to a sparse batch that was damaged.
template <class Damage>
std::string sparse_refusal(Damage damage) {
  auto data = testing::random_sparse(1, 4, sparse_shape.features, sparse_shape.classes, 5, true);
  damage(data);
  flat_model model(sparse_shape, {});
  std::vector<float> gradient;
  const auto answer =
      model.forward_backward(data.view(), std::vector<float>(model.size()), 1, gradient);
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().code == errc::invalid_argument);
  CHECK_FALSE(model.evaluate(data.view(), std::vector<float>(model.size())));
  return answer.failure().text;
}

} // namespace

TEST_CASE("softmax regression on sparse data has a table of rows and a bias") {
  flat_model model(sparse_shape, {});
  CHECK(model.model().tables() ==
        std::vector<table_spec>{{"weights", table_kind::sparse, 3, initializer::zeros, 0},
                                {"bias", table_kind::dense, 3, initializer::zeros, 0}});
}

TEST_CASE("softmax regression on dense data has two dense tables that begin at zero") {
  flat_model model(dense_shape, {});
  CHECK(model.model().tables() ==
        std::vector<table_spec>{{"weights", table_kind::dense, 15, initializer::zeros, 0},
                                {"bias", table_kind::dense, 3, initializer::zeros, 0}});
}

TEST_CASE("an MLP has weights and bias for each layer and begins uniform by width") {
  flat_model model({layout::dense, 6, 2}, {"mlp", {24, 10}, 0});
  const auto& tables = model.model().tables();
  REQUIRE(tables.size() == 6);
  CHECK(tables[0] == table_spec{"layer0.weights", table_kind::dense, 144, initializer::uniform, 1});
  CHECK(tables[1] == table_spec{"layer0.bias", table_kind::dense, 24, initializer::zeros, 0});
  CHECK(tables[2] ==
        table_spec{"layer1.weights", table_kind::dense, 240, initializer::uniform, 0.5F});
  CHECK(tables[4].name == "output.weights");
  CHECK(tables[4].width == 20);
  CHECK(tables[4].init_limit == doctest::Approx(0.70710678));
  CHECK(tables[5].name == "output.bias");
}

TEST_CASE("a model that cannot be is refused with what to do") {
  CHECK(contains(refusal({"cnn", {}, 0}, dense_shape), "choose softmax or mlp"));
  CHECK(contains(refusal({"mlp", {}, 0}, dense_shape), "set model.hidden"));
  CHECK(contains(refusal({"mlp", {8}, 0}, sparse_shape), "data is sparse"));
  CHECK(contains(refusal({"mlp", {8, 0}, 0}, dense_shape), "width 0"));
  CHECK(contains(refusal({"mlp", {4000000000U}, 0}, dense_shape), "beyond 4294967296 parameters"));
  CHECK(contains(refusal({"softmax", {}, -1}, dense_shape), "model.l2 is -1"));
  CHECK(contains(refusal({}, {layout::sparse, 0, 3}), "0 features"));
  CHECK(contains(refusal({}, {layout::dense, 5, 1}), "1 classes"));
  CHECK(contains(refusal({}, {layout::dense, 2000000000U, 2000000000U}), "beyond 4294967296"));
}

TEST_CASE("a damaged sparse batch is refused with the value at fault") {
  CHECK(contains(sparse_refusal([](dataset& d) { d.labels[2] = 3; }), "label 3 of example 2"));
  CHECK(contains(sparse_refusal([](dataset& d) { d.labels[0] = -1; }), "label -1 of example 0"));
  CHECK(contains(sparse_refusal([](dataset& d) { d.indices[7] = 40; }),
                 "feature index 40 at entry 7"));
  CHECK(contains(sparse_refusal([](dataset& d) { d.offsets[4] = 21; }), "end at 21"));
  CHECK(contains(sparse_refusal([](dataset& d) { d.offsets[1] = 4000000000U; }), "do not ascend"));
  CHECK(contains(sparse_refusal([](dataset& d) { d.offsets.pop_back(); }), "has 4 offsets"));
  CHECK(contains(sparse_refusal([](dataset& d) { d.offsets.clear(); }), "has 0 offsets"));
  CHECK(contains(sparse_refusal([](dataset& d) { d.values.pop_back(); }), "19 values"));
  CHECK(contains(sparse_refusal([](dataset& d) { d.shape.features = 41; }), "41 features"));
}

TEST_CASE("a dense batch with too few values is refused") {
  auto data = testing::random_dense(1, 4, 5, 3);
  data.values.pop_back();
  flat_model model(dense_shape, {});
  const auto answer = model.evaluate(data.view(), std::vector<float>(model.size()));
  REQUIRE_FALSE(answer);
  CHECK(contains(answer.failure().text, "has 19 values"));
}

TEST_CASE("parameters, gradients and plans of another size are refused") {
  const auto data = testing::random_sparse(1, 4, 40, 3, 5, true);
  flat_model flat(sparse_shape, {});
  auto& model = flat.model();
  const auto plan = model.plan(data.view());
  const auto keys = plan.keys.size();
  std::vector<float> rows(keys * 3), bias(3);
  const parameter_view good{bias, {rows}};
  REQUIRE(model.evaluate(data.view(), plan, good));

  const auto text = [&](const step_plan& p, const parameter_view& parameters) {
    const auto answer = model.evaluate(data.view(), p, parameters);
    REQUIRE_FALSE(answer);
    return answer.failure().text;
  };
  CHECK(contains(text(plan, {std::span(bias).first(2), {rows}}), "2 dense elements"));
  CHECK(contains(text(plan, {bias, {std::span(rows).first(3)}}), "have 3 elements instead of"));
  CHECK(contains(text(plan, {bias, {}}), "have 0 sparse tables"));
  CHECK(contains(text(plan, {bias, {rows, rows}}), "have 2 sparse tables"));

  auto other = plan;
  other.rows.pop_back();
  CHECK(contains(text(other, good), "rows for 19 indices where the batch has 20"));
  other = plan;
  other.rows[3] = static_cast<std::uint32_t>(keys);
  CHECK(contains(text(other, good), "plan names row " + std::to_string(keys)));

  std::vector<float> short_rows(3), bias_gradient(3);
  const auto answer =
      model.forward_backward(data.view(), plan, good, 1, {bias_gradient, {short_rows}});
  REQUIRE_FALSE(answer);
  CHECK(contains(answer.failure().text, "gradients of sparse table 'weights'"));
}

TEST_CASE("an empty batch gives zero gradients and empty metrics") {
  const auto check = [](const data_shape& shape, const model_options& options,
                        gpu::host_memory memory) {
    flat_model model(shape, options, memory);
    const dataset none{shape, {}, {}, {}, {}};
    std::vector<float> gradient;
    const auto metrics =
        model.forward_backward(none.view(), std::vector<float>(model.size(), 1), 1, gradient);
    REQUIRE(metrics);
    CHECK(metrics->loss_sum == 0);
    CHECK(metrics->correct == 0);
    CHECK(metrics->examples == 0);
    CHECK(gradient == std::vector<float>(model.size(), 0));
  };
  for (const auto memory : {gpu::host_memory::shared, gpu::host_memory::copied}) {
    check(sparse_shape, {"softmax", {}, 0.1F}, memory);
    check(dense_shape, {"softmax", {}, 0.1F}, memory);
    check(dense_shape, {"mlp", {4, 6}, 0.1F}, memory);
  }
}

TEST_CASE("a backend with its own memory brings the same metrics back") {
  const auto data = testing::random_dense(2, 20, 5, 3);
  flat_model shared(dense_shape, {}), copied(dense_shape, {}, gpu::host_memory::copied);
  std::vector<float> parameters(shared.size(), 0);
  parameters[shared.size() - 1] = 1;
  const auto wanted = shared.evaluate(data.view(), parameters);
  const auto got = copied.evaluate(data.view(), parameters);
  REQUIRE(wanted);
  REQUIRE(got);
  CHECK(wanted->loss_sum > 0);
  CHECK(got->loss_sum == wanted->loss_sum);
  CHECK(got->correct == wanted->correct);
  CHECK(got->examples == 20);
}

TEST_CASE("an example without features is scored by the bias alone") {
  const dataset data{sparse_shape, {1, 2}, {0, 0, 0}, {}, {}};
  flat_model model(sparse_shape, {});
  std::vector<float> parameters(model.size(), 0), gradient;
  parameters[model.size() - 2] = 5; // class 1
  const auto metrics = model.forward_backward(data.view(), parameters, 1, gradient);
  REQUIRE(metrics);
  CHECK(metrics->correct == 1);
  CHECK(metrics->loss_sum == doctest::Approx(5 + 2 * std::log1p(2 * std::exp(-5.0))));
}

TEST_CASE("a slice in the middle of a data set is computed like a copy of it") {
  const auto data = testing::random_sparse(3, 30, 40, 3, 5, false);
  auto slice = data.view();
  slice.labels = slice.labels.subspan(10, 7);
  slice.offsets = slice.offsets.subspan(10, 8);
  dataset copy{data.shape, {}, {0}, {}, {}};
  for (std::size_t i = 10; i < 17; ++i) {
    copy.labels.push_back(data.labels[i]);
    for (auto k = data.offsets[i]; k < data.offsets[i + 1]; ++k) {
      copy.indices.push_back(data.indices[k]);
      copy.values.push_back(data.values[k]);
    }
    copy.offsets.push_back(static_cast<std::uint32_t>(copy.indices.size()));
  }
  flat_model model(data.shape, {});
  const std::vector<float> parameters(model.size(), 0.5F);
  std::vector<float> of_slice, of_copy;
  REQUIRE(model.forward_backward(slice, parameters, 1, of_slice));
  REQUIRE(model.forward_backward(copy.view(), parameters, 1, of_copy));
  CHECK(of_slice == of_copy);
}

TEST_CASE("parameters that are not finite make the loss NaN, and no error") {
  const auto data = testing::random_dense(1, 4, 5, 3);
  flat_model model(dense_shape, {"mlp", {4}, 0});
  std::vector<float> parameters(model.size(), 1), gradient;
  parameters[0] = std::numeric_limits<float>::quiet_NaN();
  const auto metrics = model.forward_backward(data.view(), parameters, 1, gradient);
  REQUIRE(metrics);
  CHECK(std::isnan(metrics->loss_sum));
}

TEST_CASE("metrics of batches add up") {
  step_metrics sum{1.5, 2, 3};
  sum += {0.5, 1, 4};
  CHECK(sum.loss_sum == 2);
  CHECK(sum.correct == 3);
  CHECK(sum.examples == 7);
}
