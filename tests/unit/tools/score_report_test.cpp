#include "tools/score_report.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <limits>

using namespace gradmesh;
using namespace gradmesh::tools;

namespace {

store::model_content model() {
  store::model_content model;
  model.job_name = "quick";
  model.model_kind = "softmax";
  model.class_names = {"admin", "web"};
  return model;
}

/// 1,000 examples, of which 3 of 4 of class "web" are taken for "admin".
model_score score(double loss_sum) {
  const class_score admin{0, {loss_sum, 996, 996}};
  const class_score web{1, {0, 1, 4}};
  return {{loss_sum, 997, 1000}, {admin, web}, {{web, confusion{0, 3}}}};
}

} // namespace

TEST_CASE("a score for people has the accuracy and the worst classes") {
  CHECK(score_text(score(500), model(), {"quick.gmm", "test.libsvm"}) ==
        "model     quick.gmm (softmax, job quick)\n"
        "data      test.libsvm\n"
        "examples  1,000\n"
        "accuracy  99.70% (997 correct)\n"
        "loss      0.5000\n"
        "\n"
        "worst classes:\n"
        "CLASS  EXAMPLES  ACCURACY  MOSTLY_TAKEN_FOR  TIMES\n"
        "web           4     25.0%  admin                 3\n");
}

TEST_CASE("a score for machines has numbers under stable names") {
  const auto object =
      nlohmann::json::parse(score_json(score(500), model(), {"quick.gmm", "test.libsvm"}));
  CHECK(object["model_file"] == "quick.gmm");
  CHECK(object["source"] == "test.libsvm");
  CHECK(object["examples"] == 1000);
  CHECK(object["correct"] == 997);
  CHECK(object["accuracy"] == 0.997);
  CHECK(object["mean_loss"] == 0.5);
  REQUIRE(object["classes"].size() == 2);
  CHECK(object["classes"][0]["class"] == "admin");
  CHECK(object["classes"][1]["accuracy"] == 0.25);
  REQUIRE(object["worst_classes"].size() == 1);
  CHECK(object["worst_classes"][0]["mostly_taken_for"] == "admin");
  CHECK(object["worst_classes"][0]["mostly_taken_for_examples"] == 3);
}

TEST_CASE("a loss that is not finite is a dash and null") {
  const auto broken = score(std::numeric_limits<double>::infinity());
  CHECK(score_text(broken, model(), {"m", "d"}).find("loss      -\n") != std::string::npos);
  CHECK(nlohmann::json::parse(score_json(broken, model(), {"m", "d"}))["mean_loss"].is_null());
}
