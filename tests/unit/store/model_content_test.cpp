#include "actors/store/model_content.hpp"

#include "actors/parameters/parameter_store.hpp"
#include "actors/store/fingerprint.hpp"

#include "tests/support/whole_gradient.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace gradmesh;
using namespace gradmesh::store;
using learning::table_kind;
using parameters::partition_content;
using parameters::partition_map;

namespace {

constexpr std::uint32_t partitions = 8;

partition_map make_map(std::uint32_t shards) {
  auto map = partition_map::make(50, parameters::contiguous_owners(partitions, shards), shards);
  REQUIRE(map);
  return *map;
}

model_content empty_model() {
  model_content model;
  model.tables = {{"bias", table_kind::dense, 50}, {"w", table_kind::sparse, 3}};
  return model;
}

/// The partitions of a small trained model, exported by that many shards.
std::vector<partition_content> train(std::uint32_t shards) {
  std::vector<partition_content> contents;
  const auto map = make_map(shards);
  for (std::uint32_t s = 0; s < shards; ++s) {
    auto store = parameters::parameter_store::make(empty_model().tables, map, s, {}, 1);
    REQUIRE(store);
    std::vector<std::uint64_t> keys;
    std::vector<float> rows;
    for (std::uint64_t key = 0; key < 100; ++key) {
      if (map.owner_of_key(key) != s) continue;
      keys.push_back(key);
      rows.insert(rows.end(), 3, static_cast<float>(key));
    }
    const std::vector<float> dense(store->dense_size(), 1.0F);
    REQUIRE(testing::apply(*store, {true, dense, keys, rows}, 1.0F));
    const auto own = map.partitions_of(s);
    for (auto p = own.first; p < own.last; ++p) {
      auto content = store->export_partition(static_cast<std::uint32_t>(p));
      REQUIRE(content);
      contents.push_back(*std::move(content));
    }
  }
  return contents;
}

std::string refusal(const std::vector<partition_content>& contents) {
  auto model = empty_model();
  const auto ok = assemble_model(contents, make_map(2), model);
  REQUIRE(!ok);
  CHECK(ok.failure().code == errc::invalid_argument);
  CHECK(model == empty_model());
  return ok.failure().text;
}

} // namespace

TEST_CASE("partitions of any number of shards in any order make the same model") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto reference = empty_model();
  REQUIRE(assemble_model(train(1), make_map(1), reference));
  CHECK(check_model(reference));
  REQUIRE(reference.sparse.size() == 1);
  REQUIRE(reference.sparse[0].keys.size() == 100);
  for (std::uint64_t key = 0; key < 100; ++key) {
    CHECK(reference.sparse[0].keys[key] == key);
    CHECK(reference.sparse[0].rows[key * 3] == -static_cast<float>(key));
  }
  CHECK(reference.dense == std::vector<float>(50, -1.0F));
  const auto sha256 = parameters_sha256(reference);
  REQUIRE(sha256);
  for (const std::uint32_t shards : {2U, 3U, 7U}) {
    CAPTURE(shards);
    auto contents = train(shards);
    std::shuffle(contents.begin(), contents.end(), random);
    auto model = empty_model();
    REQUIRE(assemble_model(contents, make_map(shards), model));
    CHECK(model == reference);
    CHECK(*parameters_sha256(model) == *sha256);
  }
}

TEST_CASE("partitions that are not each there once, or hold the wrong parts, are refused") {
  const auto contents = train(2);
  auto wrong = contents;
  wrong.erase(wrong.begin() + 3);
  CHECK(refusal(wrong).starts_with("partition 3 is missing (7 of 8 have come)"));
  wrong = contents;
  wrong.push_back(contents[2]);
  CHECK(refusal(wrong) == "partition 2 comes twice");
  wrong = contents;
  wrong[0].partition = partitions;
  CHECK(refusal(wrong) == "partition 8 is not one of the job's 8");
  wrong = contents;
  wrong[1].dense.pop_back();
  CHECK(refusal(wrong).starts_with("partition 1 holds 5 dense floats from 6 on, expected 6"));
  wrong = contents;
  wrong[1].sparse.emplace_back();
  CHECK(refusal(wrong) == "partition 1 holds 2 sparse tables, the model has 1");
  wrong = contents;
  wrong[4].sparse[0].rows.pop_back();
  CHECK(refusal(wrong).starts_with("partition 4: sparse table 0 has "));
  wrong = contents;
  std::swap(wrong[4].sparse[0], wrong[5].sparse[0]);
  CHECK(refusal(wrong).find("of partition 5") != std::string::npos);
}

TEST_CASE("a model whose parts do not fit its tables is refused") {
  auto reference = empty_model();
  REQUIRE(assemble_model(train(1), make_map(1), reference));
  const auto text = [](const model_content& model) {
    const auto ok = check_model(model);
    REQUIRE(!ok);
    CHECK(ok.failure().code == errc::invalid_argument);
    return ok.failure().text;
  };
  auto model = reference;
  model.dense.push_back(0);
  CHECK(text(model) == "51 dense parameters, but the tables have 50");
  model = reference;
  std::swap(model.sparse[0].keys[4], model.sparse[0].keys[5]);
  CHECK(text(model).starts_with("sparse table 0: key 4 follows 5"));
  model = reference;
  model.sparse.clear();
  CHECK(text(model) == "rows of 0 sparse tables, but the model has 1");
  model = reference;
  model.shape.classes = 3;
  model.class_names = {"a", "b"};
  CHECK(text(model) == "2 class names for 3 classes");
  model = reference;
  model.hidden.resize(hidden_layers_max + 1);
  CHECK(text(model).starts_with("a model of 257 hidden layers"));
}
