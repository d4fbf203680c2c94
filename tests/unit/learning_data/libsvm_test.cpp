#include "actors/env/memory_disk.hpp"
#include "actors/learning/data/libsvm.hpp"
#include "actors/learning/data/load.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <doctest/doctest.h>
#include <random>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

std::string failure_of(const std::string& text) {
  const auto rows = read_libsvm(text, "a.txt");
  REQUIRE_FALSE(rows);
  CHECK(rows.failure().code == errc::malformed_data);
  return rows.failure().text;
}

/// Reads files as a job would.
result<split_dataset> load(const std::string& train, const std::string& test,
                           std::uint32_t features = 0, std::uint32_t classes = 0) {
  env::memory_disk disk;
  REQUIRE(disk.write("train", train));
  if (!test.empty()) REQUIRE(disk.write("test", test));
  data_source source;
  source.format = "libsvm";
  source.train = "train";
  source.test = test.empty() ? "" : "test";
  source.features = features;
  source.classes = classes;
  auto loaded = load_data(source, disk, nullptr);
  if (!loaded) return loaded.failure();
  return std::move(loaded->data);
}

dataset random_part(std::mt19937& random, const data_shape& shape, std::size_t rows) {
  dataset part;
  part.shape = shape;
  part.offsets.push_back(0);
  std::uniform_int_distribution<std::uint32_t> bits;
  for (std::size_t row = 0; row < rows; ++row) {
    part.labels.push_back(static_cast<std::int32_t>(bits(random) % shape.classes));
    for (std::uint32_t index = 0; index < shape.features; ++index) {
      if (bits(random) % 4 != 0) continue;
      // Every finite bit pattern is a value that must survive.
      const std::uint32_t pattern = bits(random);
      float value = 0;
      static_assert(sizeof value == sizeof pattern);
      std::copy_n(reinterpret_cast<const char*>(&pattern), sizeof value,
                  reinterpret_cast<char*>(&value));
      if (!std::isfinite(value)) value = 1;
      part.indices.push_back(index);
      part.values.push_back(value);
    }
    part.offsets.push_back(static_cast<std::uint32_t>(part.indices.size()));
  }
  return part;
}

void check_equal(const dataset& a, const dataset& b) {
  CHECK(a.shape == b.shape);
  CHECK(a.labels == b.labels);
  CHECK(a.offsets == b.offsets);
  CHECK(a.indices == b.indices);
  CHECK(a.values == b.values);
}

} // namespace

TEST_CASE("libsvm rows keep their order, and their indices count from one") {
  const auto data = load("+1 1:0.5 3:-2e1\n-1 2:1\n", "");
  REQUIRE(data);
  CHECK(data->class_names == std::vector<std::string>{"-1", "1"});
  CHECK(data->train.shape == data_shape{layout::sparse, 3, 2});
  CHECK(data->train.labels == std::vector<std::int32_t>{1, 0});
  CHECK(data->train.offsets == std::vector<std::uint32_t>{0, 2, 3});
  CHECK(data->train.indices == std::vector<std::uint32_t>{0, 2, 1});
  CHECK(data->train.values == std::vector<float>{0.5f, -20.0f, 1.0f});
  CHECK(data->test.size() == 0);
  CHECK(data->test.shape == data->train.shape);
}

TEST_CASE("an index 0 in either libsvm file makes both count from zero") {
  const auto data = load("0 1:1\n1 2:1\n", "0 0:1\n");
  REQUIRE(data);
  CHECK(data->train.shape.features == 3);
  CHECK(data->train.indices == std::vector<std::uint32_t>{1, 2});
  CHECK(data->test.indices == std::vector<std::uint32_t>{0});
}

TEST_CASE("comments, empty lines, CRLF and examples without features are libsvm too") {
  const auto data = load("# heading\r\n\r\n3 1:1 # 2:nan\r\n  5\t2:1  \r\n3\n", "");
  REQUIRE(data);
  CHECK(data->train.labels == std::vector<std::int32_t>{0, 1, 0});
  CHECK(data->train.offsets == std::vector<std::uint32_t>{0, 1, 2, 2});
}

TEST_CASE("unsorted libsvm indices are sorted together with their values") {
  const auto data = load("1 7:0.7 2:0.2 5:0.5\n0 1:1\n", "");
  REQUIRE(data);
  CHECK(data->train.indices == std::vector<std::uint32_t>{1, 4, 6, 0});
  CHECK(data->train.values == std::vector<float>{0.2f, 0.5f, 0.7f, 1.0f});
}

TEST_CASE("train and test share classes and width") {
  const auto data = load("5 1:1\n-3 2:1\n7 1:1\n", "7 9:1\n5 1:1\n");
  REQUIRE(data);
  CHECK(data->class_names == std::vector<std::string>{"-3", "5", "7"});
  CHECK(data->test.labels == std::vector<std::int32_t>{2, 1});
  CHECK(data->train.shape.features == 9);
  CHECK(data->test.shape == data->train.shape);
}

TEST_CASE("a malformed libsvm line is named with its number and what is wrong") {
  CHECK(failure_of("1 1:1\nx 1:1\n") == "a.txt:2: label 'x' is not an integer");
  CHECK(failure_of("0.5 1:1\n") == "a.txt:1: label '0.5' is not an integer");
  CHECK(failure_of("1e300 1:1\n") == "a.txt:1: label '1e300' is too large");
  CHECK(failure_of("nan 1:1\n") == "a.txt:1: label 'nan' is not an integer");
  CHECK(failure_of("1 1:1\n\n1 2:1x\n") == "a.txt:3: feature 2: '1x' is not a number");
  CHECK(failure_of("1 2:\n") == "a.txt:1: feature 2: '' is not a number");
  CHECK(failure_of("1 2:+-1\n") == "a.txt:1: feature 2: '+-1' is not a number");
  for (const std::string token :
       {"3", "a:1", "-1:1", ":1", "4294967295:1", "99999999999:1", "1.5:1"}) {
    CAPTURE(token);
    CHECK(failure_of("1 " + token + "\n") ==
          "a.txt:1: '" + token + "' is not INDEX:VALUE with an index in 0 to 4294967294");
  }
}

TEST_CASE("NaN, infinite and overflowing libsvm values are refused, tiny ones are zero") {
  for (const std::string value : {"nan", "-nan", "inf", "-inf", "infinity", "1e39", "-1e400"}) {
    CAPTURE(value);
    CHECK(failure_of("1 4:" + value + "\n") ==
          "a.txt:1: feature 4: '" + value + "' is not a finite 32-bit float");
  }
  const auto rows = read_libsvm("1 1:1e-400\n", "a.txt");
  REQUIRE(rows);
  CHECK(rows->values == std::vector<float>{0.0f});
}

TEST_CASE("a feature that occurs twice in a libsvm line is refused") {
  CHECK(failure_of("1 1:1\n1 3:1 3:2\n") == "a.txt:2: feature 3 occurs twice");
  CHECK(failure_of("1 3:1 2:1 3:2\n") == "a.txt:1: feature 3 occurs twice");
}

TEST_CASE("a libsvm file without examples is refused") {
  for (const std::string text : {"", "\n\n", "# nothing\n", "   \n"}) {
    CAPTURE(text);
    CHECK(failure_of(text) == "a.txt: has no examples");
  }
}

TEST_CASE("unprintable and endless junk in a libsvm file is shown short and safe") {
  CHECK(failure_of(std::string("\x01\xff\0", 3)) == "a.txt:1: label '?\?\?' is not an integer");
  CHECK(failure_of(std::string(1000, 'x')).size() < 100);
}

TEST_CASE("a libsvm feature beyond the declared ones is refused with its line") {
  const auto train = load("1 1:1\n\n0 5:1 11:1\n", "", 10);
  REQUIRE_FALSE(train);
  CHECK(train.failure().text ==
        "train:3: feature 11 is beyond the 10 declared features (numbered from 1)");
  const auto test = load("1 0:1\n0 5:1\n", "0 10:1", 10);
  REQUIRE_FALSE(test);
  CHECK(test.failure().text ==
        "test:1: feature 10 is beyond the 10 declared features (numbered from 0)");
  const auto fits = load("1 1:1\n0 5:1 10:1\n", "", 10);
  REQUIRE(fits);
  CHECK(fits->train.shape.features == 10);
}

TEST_CASE("a label outside the declared classes is refused with its line") {
  const auto above = load("0 1:1\n3 1:1\n", "", 0, 3);
  REQUIRE_FALSE(above);
  CHECK(above.failure().code == errc::malformed_data);
  CHECK(above.failure().text == "train:2: label 3 is no class; expected 0, 1, 2");
  const auto below = load("0 1:1\n", "# x\n-1 1:1\n", 0, 2);
  REQUIRE_FALSE(below);
  CHECK(below.failure().text == "test:2: label -1 is no class; expected 0, 1");
}

TEST_CASE("a label that only the test file has is refused") {
  const auto data = load("1 1:1\n2 1:1\n", "3 1:1\n");
  REQUIRE_FALSE(data);
  CHECK(data.failure().text == "test:1: label 3 is no class; expected 1, 2");
}

TEST_CASE("what write_libsvm writes reads back to the same data") {
  const auto seed =
      static_cast<std::uint32_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    CAPTURE(round);
    const data_shape shape{layout::sparse, 1 + static_cast<std::uint32_t>(random() % 40),
                           2 + static_cast<std::uint32_t>(random() % 5)};
    split_dataset data{random_part(random, shape, 1 + random() % 30),
                       random_part(random, shape, random() % 10),
                       {}};
    const bool words = random() % 2 != 0;
    for (std::uint32_t i = 0; i < shape.classes; ++i)
      data.class_names.push_back(words ? "z" + std::to_string(9 - i)
                                       : std::to_string(9 - 3 * int(i)));

    env::memory_disk disk;
    REQUIRE(write_libsvm(data, "out/dir", disk));
    data_source source;
    source.format = "libsvm";
    source.train = "out/dir/train.libsvm";
    source.test = data.test.size() > 0 ? "out/dir/test.libsvm" : "";
    source.features = shape.features;
    const auto loaded = load_data(source, disk, nullptr);
    REQUIRE(loaded);
    CHECK(loaded->data.class_names == data.class_names);
    check_equal(loaded->data.train, data.train);
    check_equal(loaded->data.test, data.test);
  }
}

TEST_CASE("a dense set is written as libsvm without its zeros") {
  dataset data;
  data.shape = {layout::dense, 3, 2};
  data.labels = {1, 0};
  data.values = {0, 0.5f, 0, -1, 0, 1e-10f};
  CHECK(to_libsvm(data, {"no", "yes"}) == "1 2:0.5\n0 1:-1 3:1e-10\n");
  CHECK(to_libsvm(data, {"-1", "1"}) == "1 2:0.5\n-1 1:-1 3:1e-10\n");
}

TEST_CASE("random bytes never make the libsvm reader fail other than by an error") {
  const auto seed =
      static_cast<std::uint32_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  CAPTURE(seed);
  std::mt19937 random(seed);
  constexpr std::string_view alphabet = "0123456789:. \t\n\r+-e#naif\xff";
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = "1 1:1\n";
    for (std::size_t length = random() % 20; length > 0; --length)
      text += alphabet[random() % alphabet.size()];
    CAPTURE(text);
    const auto data = load(text, "");
    if (!data) {
      CHECK(data.failure().text.starts_with("train:"));
      continue;
    }
    ++accepted;
    REQUIRE(data->train.offsets.back() == data->train.indices.size());
    for (const auto index : data->train.indices)
      REQUIRE(index < data->train.shape.features);
  }
  CHECK(accepted > 0);
}
