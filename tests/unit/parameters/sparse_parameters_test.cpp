#include "actors/parameters/sparse_parameters.hpp"

#include "actors/learning/initialize.hpp"

#include "tools/simulation/rule_oracle.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace gradmesh;
using namespace gradmesh::parameters;
using learning::initializer;
using learning::table_kind;
using learning::table_spec;

namespace {

constexpr std::uint64_t job_seed = 11;
const std::vector<table_spec> tables{{"bias", table_kind::dense, 7},
                                     {"w", table_kind::sparse, 1},
                                     {"v", table_kind::sparse, 5, initializer::uniform, 0.25F},
                                     {"u", table_kind::sparse, 2}};
constexpr std::size_t floats_per_key = 8;

std::unique_ptr<optimizer> make_rule(const std::string& kind,
                                     instruction_set set = best_instruction_set()) {
  auto rule = make_optimizer({.kind = kind}, set);
  REQUIRE(rule);
  return *std::move(rule);
}

/// One rule for all tables.
std::vector<const optimizer*> all(const optimizer& rule) {
  return std::vector<const optimizer*>(tables.size(), &rule);
}

partition_map make_map(std::uint32_t shards) {
  auto map = partition_map::make(7, contiguous_owners(16, shards), shards);
  REQUIRE(map);
  return *map;
}

std::vector<std::uint64_t> random_keys(std::mt19937_64& random, std::size_t count) {
  std::set<std::uint64_t> keys;
  while (keys.size() < count)
    keys.insert(random() % 5000);
  return {keys.begin(), keys.end()};
}

std::vector<float> random_rows(std::mt19937_64& random, std::size_t keys) {
  std::normal_distribution<float> normal;
  std::vector<float> rows(keys * floats_per_key);
  for (auto& value : rows)
    value = normal(random);
  return rows;
}

std::vector<float> read(const sparse_parameters& sparse, const key_rows& keys) {
  std::vector<float> out(keys.size() * floats_per_key, -1);
  sparse.read(keys, out);
  return out;
}

std::vector<float> initial(std::span<const std::uint64_t> keys) {
  std::vector<float> out(keys.size(), 0.0F);
  for (const auto key : keys) {
    std::vector<float> row(5);
    learning::fill_initial_row(tables[2], job_seed, 2, key, row);
    out.insert(out.end(), row.begin(), row.end());
  }
  out.resize(keys.size() * floats_per_key);
  return out;
}

} // namespace

TEST_CASE("a kept key list does the same as one that is looked up each time") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  for (const auto& kind : simulation::rule_names) {
    CAPTURE(kind);
    std::mt19937_64 random(seed);
    const auto rule = make_rule(kind);
    sparse_parameters by_kept(tables, make_map(1), 0, all(*rule), job_seed);
    sparse_parameters by_fresh(tables, make_map(1), 0, all(*rule), job_seed);
    std::vector<std::vector<std::uint64_t>> lists;
    std::vector<key_rows> kept;
    for (int i = 0; i < 6; ++i) {
      lists.push_back(random_keys(random, 1500)); // they overlap, and begin without rows
      auto resolved = by_kept.resolve(lists.back());
      REQUIRE(resolved);
      CHECK(resolved->size() == 1500);
      CHECK(resolved->absent() == 1500);
      kept.push_back(*std::move(resolved));
    }
    for (int step = 0; step < 30; ++step) {
      const auto which = random() % lists.size();
      const auto rows = random_rows(random, 1500);
      auto fresh = by_fresh.resolve(lists[which]);
      REQUIRE(fresh);
      by_fresh.apply(*fresh, rows, 0.1F);
      by_kept.apply(kept[which], rows, 0.1F);
      CHECK(kept[which].absent() == 0);
      const auto other = random() % lists.size();
      const auto again = by_fresh.resolve(lists[other]);
      REQUIRE(again);
      REQUIRE(read(by_kept, kept[other]) == read(by_fresh, *again));
    }
    CHECK(by_kept.keys() == by_fresh.keys());
    for (std::uint32_t p = 0; p < 16; ++p)
      REQUIRE(by_kept.export_partition(p) == by_fresh.export_partition(p));
  }
}

TEST_CASE("absent keys read as initial values until anybody makes their rows") {
  const auto rule = make_rule("sgd");
  sparse_parameters sparse(tables, make_map(1), 0, all(*rule), job_seed);
  const std::vector<std::uint64_t> keys{3, 8, 9, ~std::uint64_t{0}};
  const auto kept = sparse.resolve(keys);
  REQUIRE(kept);
  CHECK(read(sparse, *kept) == initial(keys));
  CHECK(sparse.keys() == 0);

  const std::vector<std::uint64_t> some{8, ~std::uint64_t{0}};
  auto others = sparse.resolve(some);
  REQUIRE(others);
  sparse.apply(*others,
               std::vector<float>{1, 2, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24, 5, 6, 7, 8}, 1.0F);
  CHECK(sparse.keys() == 2);
  auto expected = initial(keys);
  for (const std::size_t i : {0U, 1U}) {
    const std::size_t at = 1 + 2 * i; // among the four
    expected[at] -= static_cast<float>(1 + i);
    for (std::size_t column = 0; column < 5; ++column)
      expected[4 + at * 5 + column] -= static_cast<float>(10 * (1 + i) + column);
    for (std::size_t column = 0; column < 2; ++column)
      expected[4 + 20 + at * 2 + column] -= static_cast<float>(5 + 2 * i + column);
  }
  CHECK(read(sparse, *kept) == expected);
}

TEST_CASE("every instruction set keeps the same bits in sparse rows") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  for (const auto& kind : simulation::rule_names) {
    CAPTURE(kind);
    std::vector<std::vector<table_rows>> expected;
    for (const auto set : supported_instruction_sets()) {
      CAPTURE(to_string(set));
      std::mt19937_64 random(seed);
      const auto rule = make_rule(kind, set);
      sparse_parameters sparse(tables, make_map(1), 0, all(*rule), job_seed, set);
      for (int step = 0; step < 10; ++step) {
        auto keys = sparse.resolve(random_keys(random, 1100));
        REQUIRE(keys);
        sparse.apply(*keys, random_rows(random, 1100), 0.1F);
      }
      std::vector<std::vector<table_rows>> all;
      for (std::uint32_t p = 0; p < 16; ++p)
        all.push_back(sparse.export_partition(p));
      if (expected.empty()) expected = all;
      CHECK(all == expected);
    }
  }
}

TEST_CASE("a fault in a key list is found wherever it stands, by every instruction set") {
  for (const auto set : supported_instruction_sets()) {
    CAPTURE(to_string(set));
    const auto rule = make_rule("sgd");
    const sparse_parameters sparse(tables, make_map(1), 0, all(*rule), job_seed, set);
    const sparse_parameters half(tables, make_map(2), 1, all(*rule), job_seed, set);
    const auto map = make_map(2);
    std::vector<std::uint64_t> keys, owned;
    for (std::uint64_t key = 0; owned.size() < 2100; ++key)
      if (map.owner_of_key(key * 1000) == 1) owned.push_back(key * 1000);
    keys = owned;
    REQUIRE(sparse.resolve(keys));
    REQUIRE(half.resolve(keys));
    for (std::size_t at = 1; at < keys.size(); at += at < 40 || at > 1000 ? 1 : 37) {
      CAPTURE(at);
      keys[at] = keys[at - 1];
      const auto twice = sparse.resolve(keys);
      REQUIRE(!twice);
      REQUIRE(twice.failure().text.find("at position " + std::to_string(at) + " does not lie") !=
              std::string::npos);
      keys[at] = owned[at] - 999; // in order, and perhaps of the other shard
      while (map.owner_of_key(keys[at]) == 1)
        ++keys[at];
      REQUIRE(keys[at] < owned[at]);
      REQUIRE(sparse.resolve(keys));
      const auto foreign = half.resolve(keys);
      REQUIRE(!foreign);
      REQUIRE(foreign.failure().text.find("at position " + std::to_string(at) + " belongs to") !=
              std::string::npos);
      keys[at] = owned[at];
    }
    // The order of unsigned numbers.
    CHECK(sparse.resolve(std::vector<std::uint64_t>{1, std::uint64_t{1} << 63, ~std::uint64_t{0}}));
    CHECK(!sparse.resolve(std::vector<std::uint64_t>{~std::uint64_t{0}, 1}));
  }
}

TEST_CASE("a shard owns the keys from its first hash to its last") {
  const auto rule = make_rule("sgd");
  const auto map = make_map(3);
  for (const auto set : supported_instruction_sets()) {
    CAPTURE(to_string(set));
    const sparse_parameters middle(tables, map, 1, all(*rule), job_seed, set);
    const auto own = map.hashes_of(map.partitions_of(1));
    const auto takes = [&](std::uint64_t hash) {
      return static_cast<bool>(middle.resolve(std::vector<std::uint64_t>{unmix(hash)}));
    };
    CHECK(takes(own.first));
    CHECK(takes(own.last));
    CHECK(!takes(own.first - 1));
    CHECK(!takes(own.last + 1));
  }
}

TEST_CASE("a shard that owns nothing takes no keys") {
  const auto rule = make_rule("sgd");
  auto map = partition_map::make(7, {0}, 2);
  REQUIRE(map);
  const sparse_parameters nothing(tables, *map, 1, all(*rule), job_seed);
  CHECK(nothing.resolve({}));
  CHECK(!nothing.resolve(std::vector<std::uint64_t>{5}));
}
