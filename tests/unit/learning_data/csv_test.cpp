#include "actors/learning/data/csv.hpp"

#include "actors/env/memory_disk.hpp"
#include "actors/learning/data/load.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

error failure_of(const std::string& text, const csv_options& options = {}) {
  const auto rows = read_csv(text, "a.csv", options);
  REQUIRE_FALSE(rows);
  return rows.failure();
}

} // namespace

TEST_CASE("csv rows keep their order and lose their label") {
  const auto rows = read_csv("1,0.5,-2\n0, 3 ,4e0\n", "a.csv", {});
  REQUIRE(rows);
  CHECK(rows->kind == layout::dense);
  CHECK(rows->labels == std::vector<std::int64_t>{1, 0});
  CHECK(rows->index_max == 2);
  CHECK(rows->values == std::vector<float>{0.5f, -2, 3, 4});
}

TEST_CASE("the label of a csv row is in the declared column, counted from either end") {
  for (const int column : {3, -1}) {
    CAPTURE(column);
    const auto rows = read_csv("1,2,7\n3,4,8\n", "a.csv", {',', false, column});
    REQUIRE(rows);
    CHECK(rows->labels == std::vector<std::int64_t>{7, 8});
    CHECK(rows->values == std::vector<float>{1, 2, 3, 4});
  }
  const auto middle = read_csv("1,2,7\n", "a.csv", {',', false, -2});
  REQUIRE(middle);
  CHECK(middle->labels == std::vector<std::int64_t>{2});
}

TEST_CASE("a csv label column that does not exist is refused with what there is") {
  for (const int column : {0, 4, -4}) {
    CAPTURE(column);
    const error failure = failure_of("1,2,7\n", {',', false, column});
    CHECK(failure.code == errc::invalid_argument);
    CHECK(failure.text == "the label should be in column " + std::to_string(column) +
                              " of a.csv (1 is the first, -1 the last), but the file has 3 "
                              "columns: change label_column");
  }
}

TEST_CASE("heading, CRLF, empty lines and a missing last line end are accepted in csv") {
  const auto rows = read_csv("y,a,b\r\n1,2,3\r\n\r\n0,4,5", "a.csv", {',', true, 1});
  REQUIRE(rows);
  CHECK(rows->labels == std::vector<std::int64_t>{1, 0});
  CHECK(rows->lines == std::vector<std::uint64_t>{2, 4});
  CHECK(rows->values == std::vector<float>{2, 3, 4, 5});
}

TEST_CASE("tabs separate tsv, and a label may be written with a fraction of zeros") {
  const auto rows = read_csv("1.000\t0.5\n-1\t0.25\n", "a.tsv", {'\t', false, 1});
  REQUIRE(rows);
  CHECK(rows->labels == std::vector<std::int64_t>{1, -1});
  CHECK(rows->values == std::vector<float>{0.5f, 0.25f});
}

TEST_CASE("a malformed csv line is named with its number, column and what is wrong") {
  CHECK(failure_of("1,2\n1,x\n").text == "a.csv:2: column 2: 'x' is not a number");
  CHECK(failure_of("1,\n").text == "a.csv:1: column 2: '' is not a number");
  CHECK(failure_of("1,\"2\"\n").text == "a.csv:1: column 2: '\"2\"' is not a number");
  CHECK(failure_of("1,nan\n").text == "a.csv:1: column 2: 'nan' is not a finite 32-bit float");
  CHECK(failure_of("1,-inf\n").text == "a.csv:1: column 2: '-inf' is not a finite 32-bit float");
  CHECK(failure_of("1,1e60\n").text == "a.csv:1: column 2: '1e60' is not a finite 32-bit float");
  CHECK(failure_of("1.5,1\n").text == "a.csv:1: label '1.5' is not an integer");
  CHECK(failure_of("y,a\n1,2\n").text == "a.csv:1: label 'y' is not an integer");
}

TEST_CASE("csv rows of different width are refused at the first that differs") {
  CHECK(failure_of("1,2,3\n1,2,3\n1,2\n").text ==
        "a.csv:3: has 2 columns, the lines before have 3");
  CHECK(failure_of("1,2\n1,2,3\n").text == "a.csv:2: has 3 columns, the lines before have 2");
  CHECK(
      failure_of("1\n").text ==
      "a.csv:1: has one column; a label and at least one feature are needed, separated by commas");
}

TEST_CASE("a csv file without examples is refused") {
  CHECK(failure_of("").text == "a.csv: has no examples");
  CHECK(failure_of("y,a\n\n", {',', true, 1}).text == "a.csv: has no examples");
}

TEST_CASE("csv files of different width, or of another than declared, are refused") {
  env::memory_disk disk;
  REQUIRE(disk.write("train", "0,1,2\n1,1,2\n"));
  REQUIRE(disk.write("test", "0,1\n"));
  data_source source;
  source.format = "csv";
  source.train = "train";
  source.test = "test";
  const auto different = load_data(source, disk, nullptr);
  REQUIRE_FALSE(different);
  CHECK(different.failure().text == "test: has 1 features a row, but 2 are in train");
  source.features = 3;
  const auto declared = load_data(source, disk, nullptr);
  REQUIRE_FALSE(declared);
  CHECK(declared.failure().text == "train: has 2 features a row, but 3 are declared");
}
