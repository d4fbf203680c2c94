#include "actors/parameters/table_rules.hpp"

#include "actors/parameters/parameter_store.hpp"
#include "tests/support/whole_gradient.hpp"
#include "tools/simulation/rule_oracle.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace gradmesh;
using namespace gradmesh::parameters;
using learning::initializer;
using learning::table_kind;
using learning::table_spec;

namespace {

constexpr std::size_t first_size = dense_block_floats + 1000;
constexpr std::size_t second_size = 500;
constexpr std::size_t third_size = dense_block_floats;

/// Borders of tables lie inside the second block; the sparse tables stand between the dense ones.
const std::vector<table_spec> tables{
    {"first", table_kind::dense, first_size, initializer::uniform, 0.5F},
    {"words", table_kind::sparse, 3},
    {"second", table_kind::dense, second_size, initializer::uniform, 0.5F},
    {"topics", table_kind::sparse, 2},
    {"third", table_kind::dense, third_size, initializer::uniform, 0.5F}};
constexpr std::size_t dense_size = first_size + second_size + third_size;

parameter_store make_store(const optimizer_options& options, std::uint32_t shard = 0,
                           std::uint32_t shards = 1) {
  const auto map = partition_map::make(dense_size, contiguous_owners(8, shards), shards);
  REQUIRE(map);
  auto store = parameter_store::make(tables, *map, shard, options, 3);
  REQUIRE_MESSAGE(store, store.failure().text);
  return *std::move(store);
}

std::vector<float> random_floats(std::mt19937& random, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (auto& value : values)
    value = normal(random);
  return values;
}

std::vector<float> read(const parameter_store& store, std::span<const std::uint64_t> keys) {
  std::vector<float> out(store.dense_size() + store.row_floats(keys.size()));
  REQUIRE(testing::read(store, true, keys, out));
  return out;
}

/// w -= g, whatever the learning rate.
class whole_gradient final : public optimizer {
public:
  std::string_view name() const override { return "mine/whole"; }
  std::size_t state_floats_per_parameter() const override { return 0; }
  bool counts_steps() const override { return false; }
  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float>, const update_moment&) const override {
    for (std::size_t i = 0; i < g.size(); ++i)
      to[i] = from[i] - g[i];
  }
};

result<std::unique_ptr<optimizer>> make_whole_gradient(const optimizer_options&) {
  return std::unique_ptr<optimizer>(std::make_unique<whole_gradient>());
}

} // namespace

TEST_CASE("each table is updated as if its rule were that of all") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  auto mixed = make_store(
      {.kind = "adam", .tables = {{"second", "momentum"}, {"third", "sgd"}, {"topics", "ftrl"}}});
  auto adam = make_store({.kind = "adam"});
  auto momentum = make_store({.kind = "momentum"});
  auto sgd = make_store({.kind = "sgd"});
  auto ftrl = make_store({.kind = "ftrl"});
  const std::vector<std::uint64_t> keys{2, 3, 5, 7};
  std::mt19937 random(seed);
  for (int step = 0; step < 5; ++step) {
    const auto dense = random_floats(random, dense_size);
    const auto rows = random_floats(random, keys.size() * 5);
    for (auto* store : {&mixed, &adam, &momentum, &sgd, &ftrl})
      REQUIRE(testing::apply(*store, {true, dense, keys, rows}, 0.05F));
  }
  const auto all = read(mixed, keys);
  const auto is_like = [&](const parameter_store& of, std::size_t first, std::size_t size) {
    const auto expected = read(of, keys);
    return std::equal(all.begin() + first, all.begin() + first + size, expected.begin() + first);
  };
  CHECK(is_like(adam, 0, first_size));
  CHECK(is_like(momentum, first_size, second_size));
  CHECK(is_like(sgd, first_size + second_size, third_size));
  CHECK(is_like(adam, dense_size, keys.size() * 3)); // words
  CHECK(is_like(ftrl, dense_size + keys.size() * 3, keys.size() * 2));
  CHECK_FALSE(is_like(adam, first_size, second_size));
}

TEST_CASE("rules of tables and the noise of sgld do not depend on how the tables are cut") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  const optimizer_options options{.kind = "sgd",
                                  .examples = 100,
                                  .seed = 9,
                                  .tables = {{"second", "adamw"}, {"third", "sgld"}}};
  std::vector<float> expected;
  for (const std::uint32_t shards : {1U, 2U, 3U, 8U}) {
    CAPTURE(shards);
    std::mt19937 random(seed);
    std::vector<parameter_store> stores;
    for (std::uint32_t s = 0; s < shards; ++s)
      stores.push_back(make_store(options, s, shards));
    for (int step = 0; step < 3; ++step) {
      const auto dense = random_floats(random, dense_size);
      for (auto& store : stores)
        REQUIRE(testing::apply(
            store,
            {true, std::span(dense).subspan(store.dense_range().first, store.dense_size()), {}, {}},
            0.01F));
    }
    std::vector<float> whole;
    for (const auto& store : stores) {
      const auto own = read(store, {});
      whole.insert(whole.end(), own.begin(), own.end());
    }
    if (expected.empty()) expected = whole;
    CHECK(whole == expected);
  }
}

TEST_CASE("a rule for a table that there is not is refused with the tables that there are") {
  const auto map = partition_map::make(dense_size, contiguous_owners(8, 1), 1);
  REQUIRE(map);
  const auto text = [&](const optimizer_options& options) {
    const auto store = parameter_store::make(tables, *map, 0, options, 3);
    REQUIRE(!store);
    CHECK(store.failure().code == errc::invalid_argument);
    return store.failure().text;
  };
  CHECK(text({.tables = {{"first", "sgd"}, {"thrid", "adam"}}}) ==
        "optimizer.tables gives 'thrid' the rule adam, but the model has no such table; it has "
        "first, words, second, topics, third");
  CHECK(text({.tables = {{"third", "adma"}}}).find("unknown optimizer 'adma'") == 0);
  CHECK(text({.kind = "sgld"}).find("the update rule sgld is for dense tables, but 'words'") == 0);
}

TEST_CASE(
    "an application's rule is known by its name to who has its registry, and to nobody else") {
  rule_registry registry;
  REQUIRE(registry.add("mine/whole", make_whole_gradient));
  const std::vector<table_spec> two{{"a", table_kind::dense, 2}, {"b", table_kind::sparse, 2}};
  const auto map = partition_map::make(2, {0}, 1);
  REQUIRE(map);
  auto store = parameter_store::make(two, *map, 0, {.kind = "mine/whole"}, 3, registry);
  REQUIRE(store);
  const std::vector<float> dense{1, 2}, rows{3, 4};
  const std::vector<std::uint64_t> keys{5};
  REQUIRE(testing::apply(*store, {true, dense, keys, rows}, 0.01F));
  CHECK(read(*store, keys) == std::vector<float>{-1, -2, -3, -4});

  const auto unknown = parameter_store::make(two, *map, 0, {.kind = "mine/hole"}, 3, registry);
  REQUIRE(!unknown);
  CHECK(
      unknown.failure().text ==
      "this server does not know the update rule 'mine/hole'; it has sgd, momentum, nesterov, "
      "adagrad, rmsprop, adam, adamw, ftrl, sgld, mine/whole. Rules of an application are known to "
      "the servers that it starts with them");
  CHECK(!parameter_store::make(two, *map, 0, {.kind = "mine/whole"}, 3));
}

TEST_CASE("an application's rule needs a name of its own and a maker") {
  rule_registry registry;
  REQUIRE(registry.add("mine/whole", make_whole_gradient));
  CHECK(registry.add("mine/whole", make_whole_gradient).failure().text ==
        "there is an update rule 'mine/whole' already; give each its own name");
  CHECK(registry.add("mine/none", {}).failure().text == "the update rule 'mine/none' has no maker");
  for (const std::string name : {"", "whole", "/whole", "mine/", "mine/a/b", "mine/a b", "m:n/a"}) {
    CAPTURE(name);
    const auto refused = registry.add(name, make_whole_gradient);
    REQUIRE(!refused);
    CHECK(refused.failure().text.find("cannot be the name of an update rule") != std::string::npos);
  }
  REQUIRE(registry.add("mine/broken", [](const optimizer_options&) {
    return result<std::unique_ptr<optimizer>>(std::unique_ptr<optimizer>());
  }));
  CHECK(registry.make({.kind = "mine/broken"}).failure().text ==
        "the maker of the update rule 'mine/broken' made none");
}
