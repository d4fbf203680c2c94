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
      std::vector<float> body(cutter.body_floats(slices[s]));
      cutter.gather(slices[s], from.values(), body);
      cutter.scatter(slices[s], body, to.view());
    }
    CHECK(sliced_keys == keys.size());
    CHECK(to.dense == from.dense);
    CHECK(to.w == from.w);
    CHECK(to.v == from.v);
  }
}

TEST_CASE("a body holds the dense range first, then table by table the rows in key order") {
  const auto cutter = make_slicer(1);
  const std::vector<std::uint64_t> keys{3, 9};
  step_buffers step(2);
  step.dense[40] = 40;
  step.w = {3, 9};
  step.v = {30, 31, 32, 33, 34, 90, 91, 92, 93, 94};
  std::vector<float> body(41 + 2 * 6);
  const auto slices = cutter.cut(keys);
  cutter.gather(slices[0], step.values(), body);
  CHECK(std::vector<float>(body.begin() + 40, body.end()) ==
        std::vector<float>{40, 3, 9, 30, 31, 32, 33, 34, 90, 91, 92, 93, 94});
}

TEST_CASE("a body without the dense part leaves the dense parameters alone") {
  const auto cutter = make_slicer(1);
  const std::vector<std::uint64_t> keys{3};
  step_buffers step(1);
  std::fill(step.dense.begin(), step.dense.end(), 7.0F);
  const auto slices = cutter.cut(keys);
  const std::vector<float> body{1, 2, 3, 4, 5, 6};
  REQUIRE(cutter.body_floats(slices[0], false) == body.size());
  cutter.scatter(slices[0], body, step.view());
  CHECK(step.dense == std::vector<float>(41, 7.0F));
  CHECK(step.w == std::vector<float>{1});
  CHECK(step.v == std::vector<float>{2, 3, 4, 5, 6});
  std::vector<float> back(body.size());
  cutter.gather(slices[0], step.values(), back);
  CHECK(back == body);
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
