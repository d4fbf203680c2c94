#include "tools/model_scorer.hpp"

#include "actors/learning/model.hpp"
#include "actors/store/model_content.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace gradmesh;
using namespace gradmesh::tools;
using learning::initializer;
using learning::layout;
using learning::table_kind;

namespace {

/// Softmax on 4 sparse features and 3 classes: feature i speaks for class i, as strongly as 10;
/// feature 3 has no row.
store::model_content sparse_model() {
  store::model_content model;
  model.model_kind = "softmax";
  model.shape = {layout::sparse, 4, 3};
  model.tables = {{"weights", table_kind::sparse, 3, initializer::zeros, 0},
                  {"bias", table_kind::dense, 3, initializer::zeros, 0}};
  model.dense = {0, 0, 0};
  model.sparse = {{{0, 1, 2}, {10, 0, 0, 0, 10, 0, 0, 0, 10}}};
  return model;
}

/// An example for each pair, with the value 1 for one feature.
learning::dataset sparse_examples(std::vector<std::pair<std::int32_t, std::uint32_t>> examples) {
  learning::dataset data{{layout::sparse, 4, 3}, {}, {0}, {}, {}};
  for (const auto& [label, feature] : examples) {
    data.labels.push_back(label);
    data.indices.push_back(feature);
    data.values.push_back(1);
    data.offsets.push_back(static_cast<std::uint32_t>(data.indices.size()));
  }
  return data;
}

/// The probability of the class that a feature of `sparse_model` speaks for.
double sure() {
  return std::exp(10.0) / (std::exp(10.0) + 2);
}

} // namespace

TEST_CASE("a model is scored over all and by class") {
  const auto model = sparse_model();
  REQUIRE(store::check_model(model));
  const auto data = sparse_examples({{0, 0}, {1, 1}, {0, 0}, {1, 2}, {2, 2}});
  const auto score = score_model(model, data.view());
  REQUIRE(score);
  CHECK(score->total.examples == 5);
  CHECK(score->total.correct == 4);
  CHECK(score->accuracy() == doctest::Approx(0.8));
  const double wrong_loss = std::log(std::exp(10.0) + 2);
  CHECK(score->mean_loss() == doctest::Approx((4 * -std::log(sure()) + wrong_loss) / 5));
  REQUIRE(score->classes.size() == 3);
  CHECK(score->classes[0].accuracy() == 1);
  CHECK(score->classes[1].accuracy() == 0.5);
}

TEST_CASE("the worst classes say what they are taken for") {
  const auto data = sparse_examples({{0, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 0}, {2, 2}});
  const auto score = score_model(sparse_model(), data.view());
  REQUIRE(score);
  REQUIRE(score->worst.size() == 2); // class 0 has no error
  CHECK(score->worst[0].score.label == 2);
  REQUIRE(score->worst[0].mostly);
  CHECK(score->worst[0].mostly->taken_for == 0);
  CHECK(score->worst[0].mostly->examples == 2);
  CHECK(score->worst[1].score.label == 1);
  REQUIRE(score->worst[1].mostly);
  CHECK(score->worst[1].mostly->taken_for == 2);
}

TEST_CASE("a row that the model does not hold has its initial value") {
  const auto data = sparse_examples({{0, 3}});
  const auto score = score_model(sparse_model(), data.view());
  REQUIRE(score);
  CHECK(score->mean_loss() == doctest::Approx(std::log(3.0))); // zeros: no class is preferred
}

TEST_CASE("more examples than a batch takes are all scored") {
  const std::vector<std::pair<std::int32_t, std::uint32_t>> many(3000, {1, 1});
  const auto score = score_model(sparse_model(), sparse_examples(many).view());
  REQUIRE(score);
  CHECK(score->total.examples == 3000);
  CHECK(score->total.correct == 3000);
}

TEST_CASE("a dense model is scored too") {
  store::model_content model;
  model.model_kind = "softmax";
  model.shape = {layout::dense, 2, 2};
  model.tables = {{"weights", table_kind::dense, 4, initializer::zeros, 0},
                  {"bias", table_kind::dense, 2, initializer::zeros, 0}};
  model.dense = {5, 0, 0, 5, 0, 0}; // rows are features, columns classes
  REQUIRE(store::check_model(model));
  const learning::dataset data{{layout::dense, 2, 2}, {0, 1, 1}, {}, {}, {1, 0, 0, 1, 1, 0}};
  const auto score = score_model(model, data.view());
  REQUIRE(score);
  CHECK(score->total.correct == 2);
  REQUIRE(score->worst.size() == 1);
  CHECK(score->worst[0].mostly->taken_for == 0);
}

TEST_CASE("examples of another shape are refused with both shapes") {
  auto data = sparse_examples({{0, 0}});
  data.shape.features = 7;
  const auto score = score_model(sparse_model(), data.view());
  REQUIRE(!score);
  CHECK(score.failure().code == errc::invalid_argument);
  CHECK(score.failure().text == "the model was trained on sparse examples of 4 features in 3 "
                                "classes, the data has sparse examples of 7 features in 3 classes");
}

TEST_CASE("no examples and labels that are no class are refused") {
  const auto none = score_model(sparse_model(), sparse_examples({}).view());
  REQUIRE(!none);
  CHECK(none.failure().text == "there are no examples to score");
  for (const std::int32_t label : {-1, 3}) {
    const auto score = score_model(sparse_model(), sparse_examples({{label, 0}}).view());
    REQUIRE(!score);
    CHECK(score.failure().code == errc::invalid_argument);
  }
}

TEST_CASE("a model whose tables are those of another kind is refused") {
  auto model = sparse_model();
  model.tables[0].name = "embedding";
  const auto score = score_model(model, sparse_examples({{0, 0}}).view());
  REQUIRE(!score);
  CHECK(score.failure().code == errc::malformed_model);
}
