#include "tools/data_summary.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace gradmesh;
using namespace gradmesh::tools;
using learning::layout;

namespace {

data_summary sparse_summary() {
  // Two rows of 5 features: {0: 2, 3: 4} and {1: 0.5}.
  const learning::dataset data{{layout::sparse, 5, 2}, {1, 1}, {0, 2, 3}, {0, 3, 1}, {2, 4, 0.5F}};
  return summarise(data, {"admin", "web"}, "few.libsvm");
}

} // namespace

TEST_CASE("sparse rows count the zeros that they leave out") {
  const auto summary = sparse_summary();
  CHECK(summary.nonzero == 3);
  CHECK(summary.density() == doctest::Approx(0.3));
  CHECK(summary.least == 0);
  CHECK(summary.greatest == 4);
  CHECK(summary.examples_of == std::vector<std::uint64_t>{0, 2});
}

TEST_CASE("dense rows have the least value that is there") {
  const learning::dataset data{{layout::dense, 2, 2}, {0, 1}, {}, {}, {3, 5, 4, 7}};
  const auto summary = summarise(data, {}, "x.csv");
  CHECK(summary.least == 3);
  CHECK(summary.greatest == 7);
  CHECK(summary.density() == 1);
}

TEST_CASE("the classes are listed by size") {
  CHECK(summary_text(sparse_summary()) == "source    few.libsvm\n"
                                          "rows      2\n"
                                          "features  5 (sparse)\n"
                                          "values    3 nonzero (30.000%, 1.5 a row), 0 to 4\n"
                                          "classes   2\n"
                                          "\n"
                                          "CLASS  EXAMPLES   SHARE\n"
                                          "web           2  100.0%\n"
                                          "admin         0    0.0%\n");
}

TEST_CASE("many classes are cut to the largest, for people only") {
  learning::dataset data{{layout::dense, 1, 20}, {}, {}, {}, {}};
  for (std::int32_t label = 0; label < 20; ++label) {
    data.labels.push_back(label);
    data.values.push_back(1);
  }
  const auto summary = summarise(data, {}, "x.csv");
  CHECK(summary_text(summary).ends_with("and 8 smaller classes\n"));
  CHECK(nlohmann::json::parse(summary_json(summary))["labels"].size() == 20);
}

TEST_CASE("a summary for machines has numbers under stable names") {
  const auto object = nlohmann::json::parse(summary_json(sparse_summary()));
  CHECK(object["layout"] == "sparse");
  CHECK(object["rows"] == 2);
  CHECK(object["features"] == 5);
  CHECK(object["nonzero"] == 3);
  CHECK(object["labels"][1]["class"] == "web");
  CHECK(object["labels"][1]["examples"] == 2);
}
