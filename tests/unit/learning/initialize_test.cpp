#include "actors/learning/initialize.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

using namespace gradmesh::learning;

namespace {

const std::vector<table_spec> tables{
    {"a", table_kind::dense, 100, initializer::uniform, 0.5F},
    {"rows", table_kind::sparse, 8, initializer::uniform, 0.25F},
    {"zeros", table_kind::dense, 7, initializer::zeros, 0},
    {"b", table_kind::dense, 41, initializer::uniform, 2},
};

std::vector<float> dense_range(std::uint64_t seed, std::uint64_t first, std::size_t count) {
  std::vector<float> out(count, std::numeric_limits<float>::quiet_NaN());
  fill_initial_dense(tables, seed, first, out);
  return out;
}

} // namespace

TEST_CASE("a range of the dense space is the same however it is cut") {
  const auto whole = dense_range(42, 0, 148);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<float> pieces;
    while (pieces.size() < whole.size()) {
      const auto count = std::min<std::size_t>(random() % 60, whole.size() - pieces.size());
      const auto piece = dense_range(42, pieces.size(), count);
      pieces.insert(pieces.end(), piece.begin(), piece.end());
    }
    CHECK(pieces == whole);
  }
}

TEST_CASE("the bulk fill gives the single values, table after table") {
  const auto whole = dense_range(42, 0, 148);
  CHECK(whole[0] == initial_value(tables[0], 42, 0, 0));
  CHECK(whole[99] == initial_value(tables[0], 42, 0, 99));
  CHECK(std::all_of(whole.begin() + 100, whole.begin() + 107, [](float v) { return v == 0; }));
  CHECK(whole[107] == initial_value(tables[3], 42, 3, 0));
  CHECK(whole[147] == initial_value(tables[3], 42, 3, 40));
}

TEST_CASE("what lies beyond the dense space is zero") {
  const auto tail = dense_range(42, 146, 5);
  CHECK(tail[1] == initial_value(tables[3], 42, 3, 40));
  CHECK(std::all_of(tail.begin() + 2, tail.end(), [](float v) { return v == 0; }));
  CHECK(dense_range(42, 1000, 3) == std::vector<float>(3, 0));
  CHECK(dense_range(42, std::numeric_limits<std::uint64_t>::max(), 3) == std::vector<float>(3, 0));
}

TEST_CASE("values are uniform between minus limit and limit") {
  const table_spec table{"w", table_kind::dense, 200000, initializer::uniform, 0.5F};
  double sum = 0, squares = 0;
  float least = 1, most = -1;
  for (std::uint64_t i = 0; i < table.width; ++i) {
    const auto v = initial_value(table, 9, 0, i);
    sum += v;
    squares += static_cast<double>(v) * v;
    least = std::min(least, v);
    most = std::max(most, v);
  }
  const auto n = static_cast<double>(table.width);
  CHECK(least >= -0.5F);
  CHECK(least < -0.4999F);
  CHECK(most < 0.5F);
  CHECK(most > 0.4999F);
  CHECK(std::abs(sum / n) < 4 * 0.5 / std::sqrt(3 * n)); // 4 standard errors
  CHECK(squares / n == doctest::Approx(0.25 / 3).epsilon(0.01));
}

TEST_CASE("another seed, table, key or column draws another value") {
  const auto& table = tables[1];
  std::set<float> seen;
  std::size_t drawn = 0;
  for (std::uint64_t seed = 0; seed < 3; ++seed)
    for (std::uint64_t index = 0; index < 3; ++index)
      for (std::uint64_t key = 0; key < 5; ++key) {
        std::vector<float> row(table.width);
        fill_initial_row(table, seed, index, key, row);
        seen.insert(row.begin(), row.end());
        drawn += row.size();
      }
  CHECK(drawn == 360);
  CHECK(seen.size() == drawn);
}

TEST_CASE("initial values are the same in every build, since shards of any version make them") {
  const table_spec table{"w", table_kind::dense, 10, initializer::uniform, 1};
  CHECK(initial_value(table, 1, 0, 0) == 3246594 / 8388608.0F);
  CHECK(initial_value(table, 1, 2, 3) == -1383147 / 8388608.0F);
  std::vector<float> row(2);
  fill_initial_row(table, 1, 0, 5, row);
  CHECK(row[1] == 4954434 / 8388608.0F);
}
