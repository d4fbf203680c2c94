#include "actors/parameters/sparse_table.hpp"

#include "actors/parameters/partition_map.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace gradmesh::parameters;

TEST_CASE("a sparse table agrees with std::map over random keys") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (const std::size_t row_floats : {1U, 3U, 70'000U}) {
    CAPTURE(row_floats);
    sparse_table table(row_floats);
    std::map<std::uint64_t, float*> rows;
    const int operations = row_floats == 70'000U ? 50 : 20'000;
    for (int i = 0; i < operations; ++i) {
      const auto key = random() % 8000; // many repeats
      auto* row = table.find(key, mix(key));
      const auto known = rows.find(key);
      if (known == rows.end()) {
        REQUIRE(row == nullptr);
        row = table.create(key, mix(key));
        for (std::size_t f = 0; f < row_floats; ++f)
          row[f] = static_cast<float>(key);
        rows[key] = row;
      } else {
        REQUIRE(row == known->second); // growth does not move rows
        REQUIRE(row[row_floats - 1] == static_cast<float>(key));
      }
    }
    const auto entries = table.sorted_entries();
    REQUIRE(entries.size() == rows.size());
    auto expected = rows.begin();
    for (const auto& entry : entries) {
      REQUIRE(entry.key == expected->first);
      REQUIRE(entry.row == expected->second);
      REQUIRE(entry.row[0] == static_cast<float>(entry.key));
      ++expected;
    }
  }
}

TEST_CASE("any 64-bit number is a key, also those whose hashes collide") {
  sparse_table table(1);
  const std::uint64_t same_hash = 7;
  for (const std::uint64_t key : {0UL, ~0UL, 1UL << 63, 1UL})
    *table.create(key, same_hash) = static_cast<float>(key);
  for (const std::uint64_t key : {0UL, ~0UL, 1UL << 63, 1UL})
    CHECK(*table.find(key, same_hash) == static_cast<float>(key));
  CHECK(table.find(2, same_hash) == nullptr);
}
