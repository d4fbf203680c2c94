#include "actors/parameters/slicer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

using namespace gradmesh;
using namespace gradmesh::parameters;
using learning::table_kind;
using learning::table_spec;

namespace {

const std::vector<table_spec> tables{{"bias", table_kind::dense, 37},
                                     {"w", table_kind::sparse, 1},
                                     {"v", table_kind::sparse, 5},
                                     {"scale", table_kind::dense, 4}};

slicer make_slicer(std::uint32_t shards) {
  auto map = partition_map::make(41, contiguous_owners(16, shards), shards);
  REQUIRE(map);
  return slicer(tables, *map);
}

/// A step's parameters or gradients.
struct step_buffers {
  explicit step_buffers(std::size_t keys) : dense(41), w(keys), v(keys * 5) {}
  learning::gradient_view view() { return {dense, {w, v}}; }
  learning::parameter_view values() const { return {dense, {w, v}}; }

  std::vector<float> dense, w, v;
};

} // namespace

TEST_CASE("what is gathered for the shards scatters back to where it came from") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (const std::uint32_t shards : {1U, 2U, 3U, 7U}) {
    CAPTURE(shards);
    std::set<std::uint64_t> distinct;
    while (distinct.size() < 500)
      distinct.insert(random());
    const std::vector<std::uint64_t> keys(distinct.begin(), distinct.end());
    step_buffers from(keys.size());
    for (auto* part : {&from.dense, &from.w, &from.v})
      for (auto& value : *part)
        value = static_cast<float>(random() % 1000);
    step_buffers to(keys.size());

    const auto cutter = make_slicer(shards);
    const auto slices = cutter.cut(keys);
    REQUIRE(slices.size() == shards);
    std::size_t sliced_keys = 0;
    for (std::uint32_t s = 0; s < shards; ++s) {
      sliced_keys += slices[s].keys.size();
      CHECK(std::is_sorted(slices[s].keys.begin(), slices[s].keys.end()));
      for (std::size_t i = 0; i < slices[s].keys.size(); ++i) {
        REQUIRE(cutter.map().owner_of_key(slices[s].keys[i]) == s);
        REQUIRE(keys[slices[s].positions[i]] == slices[s].keys[i]);
      }
      for (const auto& part : slices[s].parts) {
        std::vector<float> values(part_floats(part, cutter.layout().floats_per_key()));
        cutter.gather(slices[s], part, from.values(), values);
        cutter.scatter(slices[s], part, values, to.view());
      }
    }
    CHECK(sliced_keys == keys.size());
    CHECK(to.dense == from.dense);
    CHECK(to.w == from.w);
    CHECK(to.v == from.v);
  }
}

TEST_CASE("a run holds table by table the rows in key order") {
  const auto cutter = make_slicer(1);
  const std::vector<std::uint64_t> keys{3, 9};
  step_buffers step(2);
  step.w = {3, 9};
  step.v = {30, 31, 32, 33, 34, 90, 91, 92, 93, 94};
  const auto slices = cutter.cut(keys);
  REQUIRE(slices[0].parts.size() == 2);
  std::vector<float> values(2 * 6);
  cutter.gather(slices[0], slices[0].parts[1], step.values(), values);
  CHECK(values == std::vector<float>{3, 9, 30, 31, 32, 33, 34, 90, 91, 92, 93, 94});
}

TEST_CASE("a part that is scattered leaves everything else alone") {
  const auto cutter = make_slicer(1);
  const std::vector<std::uint64_t> keys{3, 4};
  step_buffers step(2);
  std::fill(step.dense.begin(), step.dense.end(), 7.0F);
  const auto slices = cutter.cut(keys);
  const part second_key{false, 0, {1, 2}};
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  cutter.scatter(slices[0], second_key, values, step.view());
  CHECK(step.dense == std::vector<float>(41, 7.0F));
  CHECK(step.w == std::vector<float>{0, 1});
  CHECK(step.v == std::vector<float>{0, 0, 0, 0, 0, 2, 3, 4, 5, 6});
  std::vector<float> back(values.size());
  cutter.gather(slices[0], second_key, step.values(), back);
  CHECK(back == values);
}

TEST_CASE("parts cover everything once, in blocks and runs") {
  const auto parts = parts_of(2 * dense_block_floats + 5, 200'000, 1);
  REQUIRE(parts.size() == 3 + 3);
  std::uint64_t next = 0;
  for (std::uint32_t block = 0; block < 3; ++block) {
    CHECK(parts[block].dense);
    CHECK(parts[block].block == block);
    CHECK(parts[block].elements.first == next);
    next = parts[block].elements.last;
  }
  CHECK(next == 2 * dense_block_floats + 5);
  next = 0;
  for (std::size_t run = 3; run < parts.size(); ++run) {
    CHECK_FALSE(parts[run].dense);
    CHECK(parts[run].elements.first == next);
    CHECK(parts[run].elements.size() * 12 <= run_bytes_max);
    next = parts[run].elements.last;
  }
  CHECK(next == 200'000);
}

TEST_CASE("a row that is longer than a run is a part of its own") {
  const auto parts = parts_of(0, 3, 1'000'000);
  CHECK(parts.size() == 3);
  CHECK(part_floats(parts[2], 1'000'000) == 1'000'000);
}

TEST_CASE("a shard that holds nothing of a step still gets a part") {
  const auto parts = parts_of(0, 0, 4);
  REQUIRE(parts.size() == 1);
  CHECK_FALSE(parts[0].dense);
  CHECK(part_floats(parts[0], 4) == 0);
}

TEST_CASE("a step without keys gives every shard its dense range alone") {
  const auto slices = make_slicer(3).cut({});
  std::uint64_t dense = 0;
  for (const auto& part : slices) {
    CHECK(part.keys.empty());
    CHECK(part.dense_first == dense);
    dense = part.dense_last;
  }
  CHECK(dense == 41);
}
