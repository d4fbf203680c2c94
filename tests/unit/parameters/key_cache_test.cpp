#include "actors/parameters/key_cache.hpp"

#include "actors/parameters/sparse_parameters.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <list>
#include <numeric>
#include <random>
#include <vector>

using namespace gradmesh::parameters;
using gradmesh::learning::table_kind;
using gradmesh::learning::table_spec;

namespace {

const std::vector<table_spec> tables{{"w", table_kind::sparse, 1}};

/// Looks keys up in an empty shard.
key_rows rows_of(std::size_t keys) {
  const auto map = partition_map::make(0, {0}, 1);
  const auto rule = make_optimizer({});
  REQUIRE(map);
  REQUIRE(rule);
  std::vector<std::uint64_t> list(keys);
  std::iota(list.begin(), list.end(), 0);
  auto rows = sparse_parameters(tables, *map, 0, std::vector<const optimizer*>{rule->get()}, 1)
                  .resolve(list);
  REQUIRE(rows);
  return *std::move(rows);
}

key_list_name name(std::uint64_t hash) {
  return {hash, 10};
}

} // namespace

TEST_CASE("a key list's name follows from its keys, their order and their count") {
  const std::vector<std::uint64_t> keys{1, 2, 3}, other{1, 2, 4}, turned{3, 2, 1};
  CHECK(name_of(keys) == name_of(std::vector<std::uint64_t>{1, 2, 3}));
  CHECK(name_of(keys) != name_of(other));
  CHECK(name_of(keys) != name_of(turned));
  CHECK(name_of(keys) != name_of(std::span(keys).first(2)));
  CHECK(name_of({}).count == 0);
  // Part of the protocol: XXH3 without a seed over the little-endian keys.
  CHECK(name_of(keys).count == 3);
  CHECK(name_of({}).hash == 0x2d06800538d394c2U);
}

TEST_CASE("a list is found by hash and count together") {
  key_cache cache(10, 1 << 20);
  cache.keep({5, 10}, rows_of(10));
  REQUIRE(cache.find({5, 10}) != nullptr);
  CHECK(cache.find({5, 10})->size() == 10);
  CHECK(cache.find({5, 11}) == nullptr);
  CHECK(cache.find({6, 10}) == nullptr);
}

TEST_CASE("the list that was not used for longest makes room, by entries and by bytes") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  struct model_entry {
    std::uint64_t hash;
    std::size_t keys;
    std::size_t bytes;
  };
  constexpr std::size_t entries_max = 8, bytes_max = 40'000;
  key_cache cache(entries_max, bytes_max);
  std::list<model_entry> model; // the one used last first
  for (int i = 0; i < 3000; ++i) {
    const auto hash = random() % 16;
    const auto known = std::find_if(model.begin(), model.end(),
                                    [&](const model_entry& e) { return e.hash == hash; });
    if (random() % 2 == 0) {
      const auto* found = cache.find(name(hash));
      REQUIRE((found != nullptr) == (known != model.end()));
      if (!found) continue;
      REQUIRE(found->size() == known->keys);
      model.splice(model.begin(), model, known);
      continue;
    }
    if (known != model.end()) model.erase(known);
    auto rows = rows_of(1 + random() % 1000);
    const model_entry fresh{hash, rows.size(), rows.bytes()};
    CHECK(fresh.bytes >= fresh.keys * sizeof(std::uint32_t));
    cache.keep(name(hash), std::move(rows));
    const auto total = [&] {
      return std::accumulate(model.begin(), model.end(), std::size_t{0},
                             [](std::size_t sum, const model_entry& e) { return sum + e.bytes; });
    };
    while (model.size() == entries_max || total() + fresh.bytes > bytes_max)
      model.pop_back();
    model.push_front(fresh);
    REQUIRE(cache.entries() == model.size());
    REQUIRE(cache.bytes() == total());
  }
}

TEST_CASE("a list larger than the cache is not kept and pushes nothing out") {
  key_cache cache(8, 5000);
  cache.keep(name(1), rows_of(10));
  cache.keep(name(2), rows_of(10'000));
  CHECK(cache.find(name(1)) != nullptr);
  CHECK(cache.find(name(2)) == nullptr);
  key_cache none(0, 5000);
  none.keep(name(1), rows_of(10));
  CHECK(none.find(name(1)) == nullptr);
}
