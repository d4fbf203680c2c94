#include "actors/learning/unique_rows.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using gradmesh::learning::unique_rows;

TEST_CASE("keys are the distinct indices in ascending order and rows lead back to each index") {
  unique_rows rows;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    // Widths of 1 to 32 bits, so that every number of radix passes occurs.
    const auto mask = ~std::uint32_t{0} >> random() % 32;
    std::vector<std::uint32_t> indices(random() % 5000);
    for (auto& index : indices)
      index = static_cast<std::uint32_t>(random()) & mask;

    const auto plan = rows.find(indices);
    const std::set<std::uint64_t> distinct(indices.begin(), indices.end());
    CHECK(plan.keys == std::vector<std::uint64_t>(distinct.begin(), distinct.end()));
    REQUIRE(plan.rows.size() == indices.size());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < indices.size(); ++i)
      wrong += plan.keys.at(plan.rows[i]) != indices[i];
    CHECK(wrong == 0);
  }
}

TEST_CASE("the largest index that 32 bits hold is a key like any other") {
  unique_rows rows;
  const std::vector<std::uint32_t> indices{0xffffffffU, 0, 0xffffffffU};
  const auto plan = rows.find(indices);
  CHECK(plan.keys == std::vector<std::uint64_t>{0, 0xffffffffU});
  CHECK(plan.rows == std::vector<std::uint32_t>{1, 0, 1});
}

TEST_CASE("no indices give no keys") {
  unique_rows rows;
  const auto plan = rows.find({});
  CHECK(plan.keys.empty());
  CHECK(plan.rows.empty());
}
