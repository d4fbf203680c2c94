#include "actors/learning/data/dataset_file.hpp"
#include "actors/learning/dataset.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

dataset sparse_set() {
  return {{layout::sparse, 10, 3}, {0, 2, 1}, {0, 2, 2, 3}, {1, 4, 9}, {0.5f, 1, -2}};
}

dataset dense_set() {
  return {{layout::dense, 2, 3}, {0, 2, 1}, {}, {}, {1, 2, 3, 4, 5, 6}};
}

void check_equal(const dataset& a, const dataset& b) {
  CHECK(a.shape == b.shape);
  CHECK(a.labels == b.labels);
  CHECK(a.offsets == b.offsets);
  CHECK(a.indices == b.indices);
  CHECK(a.values == b.values);
}

} // namespace

TEST_CASE("a slice of sparse examples addresses the same entries") {
  const dataset data = sparse_set();
  const example_view part = data.view().slice(1, 3);
  CHECK(part.size() == 2);
  CHECK(part.shape == data.shape);
  CHECK(part.labels[0] == 2);
  REQUIRE(part.offsets.size() == 3);
  CHECK(part.offsets[1] == part.offsets[0]);
  CHECK(part.indices[part.offsets[1]] == 9);
  CHECK(part.values[part.offsets[1]] == -2);
  const example_view last = part.slice(1, 2);
  CHECK(last.labels[0] == 1);
  CHECK(last.indices[last.offsets[0]] == 9);
}

TEST_CASE("a slice of dense examples begins with its first row") {
  const dataset data = dense_set();
  const example_view part = data.view().slice(1, 3);
  CHECK(part.size() == 2);
  CHECK(part.labels[1] == 1);
  CHECK(std::vector<float>(part.values.begin(), part.values.end()) ==
        std::vector<float>{3, 4, 5, 6});
}

TEST_CASE("an empty slice is a view of no examples") {
  const dataset data = sparse_set();
  const example_view part = data.view().slice(3, 3);
  CHECK(part.size() == 0);
  CHECK(part.offsets.size() == 1);
}

TEST_CASE("an encoded data set decodes to the same") {
  dataset no_rows{{layout::sparse, 10, 3}, {}, {0}, {}, {}};
  for (const split_dataset& data :
       {split_dataset{sparse_set(), no_rows, {"a", "b", "c"}},
        split_dataset{dense_set(), {{layout::dense, 2, 3}, {}, {}, {}, {}}, {}}}) {
    const auto decoded = decode_dataset(encode_dataset(data));
    REQUIRE(decoded);
    CHECK(decoded->class_names == data.class_names);
    check_equal(decoded->train, data.train);
    check_equal(decoded->test, data.test);
  }
}

TEST_CASE("an encoded data set with any byte changed or missing is refused") {
  const std::string bytes = encode_dataset({sparse_set(), sparse_set(), {"a", "b", "c"}});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    CAPTURE(i);
    std::string changed = bytes;
    changed[i] ^= 0x40;
    CHECK_FALSE(decode_dataset(changed));
    CHECK_FALSE(decode_dataset(bytes.substr(0, i)));
  }
  CHECK_FALSE(decode_dataset(bytes + "x"));
}

TEST_CASE("an encoded data set with a right checksum and wrong content is refused") {
  const auto refused = [](auto damage) {
    dataset part = sparse_set();
    damage(part);
    return !decode_dataset(encode_dataset({part, sparse_set(), {}}));
  };
  CHECK_FALSE(refused([](dataset&) {}));
  CHECK(refused([](dataset& part) { part.labels[0] = 3; }));
  CHECK(refused([](dataset& part) { part.labels[0] = -1; }));
  CHECK(refused([](dataset& part) { part.indices[2] = 10; }));
  CHECK(refused([](dataset& part) { part.indices[1] = 1; }));
  CHECK(refused([](dataset& part) { part.offsets[0] = 1; }));
  CHECK(refused([](dataset& part) { part.offsets[1] = 0xffffffff; }));
  CHECK(refused([](dataset& part) { part.offsets[3] = 2; }));
  CHECK(refused([](dataset& part) { part.values.pop_back(); }));
  CHECK(refused([](dataset& part) { part.values[0] = std::numeric_limits<float>::infinity(); }));
}
