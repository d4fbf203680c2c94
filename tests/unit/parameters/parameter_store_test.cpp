#include "actors/parameters/parameter_store.hpp"

#include "actors/learning/initialize.hpp"
#include "actors/parameters/slicer.hpp"

#include "tests/support/whole_gradient.hpp"

#include "tools/simulation/rule_oracle.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
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
constexpr std::uint32_t partitions = 16;

std::vector<table_spec> tables() {
  return {{"bias", table_kind::dense, 101, initializer::uniform, 0.5F},
          {"w", table_kind::sparse, 1, initializer::zeros, 0},
          {"v", table_kind::sparse, 5, initializer::uniform, 0.25F}};
}

partition_map make_map(std::uint32_t shards) {
  auto map = partition_map::make(101, contiguous_owners(partitions, shards), shards);
  REQUIRE(map);
  return *map;
}

parameter_store make_store(std::uint32_t shard, std::uint32_t shards,
                           const optimizer_options& options = {}) {
  auto store = parameter_store::make(tables(), make_map(shards), shard, options, job_seed);
  REQUIRE(store);
  return *std::move(store);
}

std::vector<float> read_all(const parameter_store& store, const std::vector<std::uint64_t>& keys) {
  std::vector<float> body(store.dense_size() + store.row_floats(keys.size()));
  REQUIRE(testing::read(store, true, keys, body));
  return body;
}

std::vector<std::uint64_t> random_keys(std::mt19937_64& random, std::size_t count) {
  std::set<std::uint64_t> keys;
  while (keys.size() < count)
    keys.insert(random() % 1000);
  return {keys.begin(), keys.end()};
}

/// A refused change: no effect, and this text.
std::string refusal(parameter_store& store, const gradient& change, float learning_rate = 0.1F) {
  const std::vector<std::uint64_t> keys{1, 2, 3};
  const auto before = read_all(store, keys);
  const auto ok = testing::apply(store, change, learning_rate);
  REQUIRE(!ok);
  CHECK(ok.failure().code == errc::invalid_argument);
  CHECK(read_all(store, keys) == before);
  CHECK(store.sparse_keys() == 0);
  return ok.failure().text;
}

} // namespace

TEST_CASE("parameters nobody has pushed to are the initial values, and reading keeps nothing") {
  auto store = make_store(0, 1);
  const std::vector<std::uint64_t> keys{4, 900};
  const auto body = read_all(store, keys);
  REQUIRE(body.size() == 101 + 2 * 6);

  std::vector<float> expected(101);
  learning::fill_initial_dense(tables(), job_seed, 0, expected);
  expected.insert(expected.end(), 2, 0.0F);
  for (const auto key : keys) {
    std::vector<float> row(5);
    learning::fill_initial_row(tables()[2], job_seed, 2, key, row);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  CHECK(body == expected);
  CHECK(store.sparse_keys() == 0);
}

TEST_CASE("a push changes what it names and nothing else") {
  auto store = make_store(0, 1);
  const std::vector<std::uint64_t> all{1, 2, 3};
  const auto before = read_all(store, all);
  const std::vector<std::uint64_t> keys{2};
  const std::vector<float> rows{1, 2, 2, 2, 2, 2};
  REQUIRE(testing::apply(store, {false, {}, keys, rows}, 0.5F));
  auto expected = before;
  expected[101 + 1] -= 0.5F; // w of key 2
  for (int i = 0; i < 5; ++i)
    expected[101 + 3 + 5 + i] -= 1.0F;
  CHECK(read_all(store, all) == expected);
  CHECK(store.sparse_keys() == 1);

  const std::vector<float> dense(101, 1.0F);
  REQUIRE(testing::apply(store, {true, dense, {}, {}}, 0.5F));
  for (int i = 0; i < 101; ++i)
    expected[i] -= 0.5F;
  CHECK(read_all(store, all) == expected);
}

TEST_CASE("any number of shards holds the same bits after the same pushes") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  for (const auto& kind : simulation::rule_names) {
    CAPTURE(kind);
    optimizer_options options;
    options.kind = kind;
    std::vector<partition_content> reference;
    for (const std::uint32_t shards : {1U, 2U, 3U, 7U}) {
      CAPTURE(shards);
      std::vector<parameter_store> stores;
      for (std::uint32_t s = 0; s < shards; ++s)
        stores.push_back(make_store(s, shards, options));
      const slicer cutter(tables(), make_map(shards));
      std::mt19937_64 random(seed);
      std::normal_distribution<float> normal;
      for (int step = 0; step < 20; ++step) {
        const auto keys = random_keys(random, 200);
        std::vector<float> dense(101), w(keys.size()), v(keys.size() * 5);
        for (auto* part : {&dense, &w, &v})
          for (auto& value : *part)
            value = normal(random);
        const auto slices = cutter.cut(keys);
        for (std::uint32_t s = 0; s < shards; ++s) {
          for (const auto& part : slices[s].parts) {
            std::vector<float> values(part_floats(part, cutter.layout().floats_per_key()));
            cutter.gather(slices[s], part, {dense, {w, v}}, values);
            if (part.dense)
              REQUIRE(stores[s].apply_dense(part.block, values, 0.1F));
            else
              REQUIRE(testing::apply(stores[s], {false, {}, slices[s].keys, values}, 0.1F));
          }
        }
      }
      std::vector<partition_content> contents;
      for (std::uint32_t p = 0; p < partitions; ++p) {
        auto content = stores[cutter.map().owner(p)].export_partition(p);
        REQUIRE(content);
        contents.push_back(*std::move(content));
      }
      if (reference.empty()) reference = contents;
      CHECK(contents == reference);
    }
  }
}

TEST_CASE("dense parameters pushed and read block by block are those of the whole") {
  constexpr std::uint64_t size = 2 * dense_block_floats + 77;
  const std::vector<table_spec> big{{"w", table_kind::dense, size, initializer::uniform, 0.5F}};
  for (const char* kind : {"sgd", "adam"}) {
    CAPTURE(kind);
    const auto map = partition_map::make(size, contiguous_owners(4, 2), 2);
    REQUIRE(map);
    auto by_block = parameter_store::make(big, *map, 1, {.kind = kind}, job_seed);
    auto whole = parameter_store::make(big, *map, 1, {.kind = kind}, job_seed);
    REQUIRE(by_block);
    REQUIRE(whole);
    REQUIRE(whole->dense_blocks() == 2);
    std::vector<float> gradient(whole->dense_size());
    for (std::size_t i = 0; i < gradient.size(); ++i)
      gradient[i] = static_cast<float>(i % 1000) - 500;
    for (int step = 0; step < 3; ++step) {
      REQUIRE(testing::apply(*whole, {true, gradient, {}, {}}, 0.1F));
      for (std::size_t b = 0; b < by_block->dense_blocks(); ++b) {
        const auto range = by_block->dense_block_range(b);
        REQUIRE(
            by_block->apply_dense(b, std::span(gradient).subspan(range.first, range.size()), 0.1F));
      }
    }
    const auto expected = read_all(*whole, {});
    for (std::size_t b = 0; b < 2; ++b)
      CHECK(std::ranges::equal(by_block->dense_block(b).values, whole->dense_block(b).values));
    std::vector<float> exported;
    for (const std::uint32_t p : {2U, 3U}) {
      const auto content = by_block->export_partition(p);
      REQUIRE(content);
      exported.insert(exported.end(), content->dense.begin(), content->dense.end());
    }
    CHECK(exported == expected);
  }
}

TEST_CASE("a wrong gradient of a block is refused with its values and has no effect") {
  auto store = make_store(0, 1, {.kind = "adam"});
  const auto before = store.dense_block(0);
  std::vector<float> gradient(101, 1.0F);
  const auto text = [&](std::size_t block, std::size_t size, float rate) {
    const auto ok = store.apply_dense(block, std::span(gradient).first(size), rate);
    REQUIRE(!ok);
    CHECK(ok.failure().code == errc::invalid_argument);
    return ok.failure().text;
  };
  CHECK(text(1, 101, 0.1F).starts_with("there is no dense block 1; shard 0 has 1"));
  CHECK(text(0, 100, 0.1F).starts_with("100 gradients for dense block 0, expected 101"));
  CHECK(text(0, 101, std::numeric_limits<float>::infinity()).starts_with("the learning rate is"));
  gradient[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK(text(0, 101, 0.1F).starts_with("the gradient of table 'bias', element 7 is nan"));
  CHECK(!store.check_dense(0, gradient));
  gradient[7] = 1;
  CHECK(store.check_dense(0, gradient));
  CHECK(std::ranges::equal(store.dense_block(0).values, before.values));
  // Nor has a refused gradient counted as a step: the first one moves by the learning rate.
  REQUIRE(store.apply_dense(0, gradient, 0.25F));
  CHECK(store.dense_block(0).values[7] == doctest::Approx(before.values[7] - 0.25F));
}

TEST_CASE("adam counts the updates of each sparse row by itself") {
  // The first update of a row moves it by the learning rate, however late it comes.
  auto store = make_store(0, 1, {.kind = "adam"});
  const std::vector<float> rows{1, 1, 1, 1, 1, 1};
  const std::vector<std::uint64_t> early{1};
  const std::vector<std::uint64_t> late{2};
  for (int i = 0; i < 50; ++i)
    REQUIRE(testing::apply(store, {false, {}, early, rows}, 0.25F));
  REQUIRE(testing::apply(store, {false, {}, late, rows}, 0.25F));
  const auto body = read_all(store, {2});
  CHECK(body[101] == doctest::Approx(-0.25));
}

TEST_CASE("the exported partitions hold every updated row once, in key order") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  auto store = make_store(0, 1);
  const auto keys = random_keys(random, 300);
  const std::vector<float> rows(keys.size() * 6, 1.0F);
  REQUIRE(testing::apply(store, {false, {}, keys, rows}, 1.0F));
  const auto body = read_all(store, keys);

  std::map<std::uint64_t, float> w;
  std::vector<float> dense;
  for (std::uint32_t p = 0; p < partitions; ++p) {
    const auto content = store.export_partition(p);
    REQUIRE(content);
    CHECK(content->dense_first == dense.size());
    dense.insert(dense.end(), content->dense.begin(), content->dense.end());
    REQUIRE(content->sparse.size() == 2);
    CHECK(content->sparse[0].keys == content->sparse[1].keys);
    CHECK(content->sparse[1].rows.size() == content->sparse[1].keys.size() * 5);
    CHECK(std::is_sorted(content->sparse[0].keys.begin(), content->sparse[0].keys.end()));
    for (std::size_t i = 0; i < content->sparse[0].keys.size(); ++i) {
      CHECK(store.map().partition_of_key(content->sparse[0].keys[i]) == p);
      CHECK(w.emplace(content->sparse[0].keys[i], content->sparse[0].rows[i]).second);
    }
  }
  CHECK(dense == std::vector<float>(body.begin(), body.begin() + 101));
  REQUIRE(w.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    CHECK(w[keys[i]] == body[101 + i]);
}

TEST_CASE("a wrong push is refused with its values and has no effect") {
  auto store = make_store(0, 1);
  const std::vector<float> row(6, 1.0F), rows(12, 1.0F), dense(101, 1.0F);
  const auto starts = [&](const std::string& text, const std::string& with) {
    CAPTURE(text);
    CHECK(text.starts_with(with));
  };
  const std::vector<std::uint64_t> key{1}, twice{1, 1}, falling{3, 2};
  starts(refusal(store, {false, {}, twice, rows}),
         "key 1 at position 1 does not lie above its predecessor 1");
  starts(refusal(store, {true, dense, falling, rows}),
         "key 2 at position 1 does not lie above its predecessor 3");
  starts(refusal(store, {false, {}, key, rows}), "12 gradients of sparse rows, expected 6");
  starts(refusal(store, {true, dense, key, row}, std::numeric_limits<float>::infinity()),
         "the learning rate is inf");
}

TEST_CASE("wrong rows for a kept key list are refused with their values and have no effect") {
  auto store = make_store(0, 1);
  const std::vector<std::uint64_t> two{1, 2};
  auto keys = store.resolve(two);
  REQUIRE(keys);
  std::vector<float> rows(12, 1.0F), out(11);
  const auto text = [&](std::size_t size, float rate) {
    const auto ok = store.apply_sparse(*keys, std::span(rows).first(size), rate);
    REQUIRE(!ok);
    CHECK(ok.failure().code == errc::invalid_argument);
    return ok.failure().text;
  };
  CHECK(text(6, 0.1F).starts_with("6 gradients of sparse rows, expected 12"));
  CHECK(text(12, std::numeric_limits<float>::quiet_NaN()).starts_with("the learning rate is nan"));
  rows[11] = -std::numeric_limits<float>::infinity();
  CHECK(text(12, 0.1F).starts_with("the gradient of table 'v', the row of key 1 of the 2 that "
                                   "were pushed, element 4 is -inf"));
  CHECK(!store.check_sparse(*keys, rows));
  CHECK(store.sparse_keys() == 0);
  const auto read = store.read_sparse(*keys, out);
  REQUIRE(!read);
  CHECK(read.failure().text.starts_with("11 floats to read sparse rows into, expected 12"));
  rows[11] = 1;
  CHECK(store.check_sparse(*keys, rows));
  CHECK(store.apply_sparse(*keys, rows, 0.1F));
  CHECK(store.sparse_keys() == 2);
}

TEST_CASE("a gradient with one value that is not finite is refused as a whole") {
  auto store = make_store(0, 1);
  const std::vector<std::uint64_t> keys{1, 2};
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::signaling_NaN(),
        std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> dense(101, 1.0F), rows(12, std::numeric_limits<float>::max());
    dense[100] = bad;
    CHECK(refusal(store, {true, dense, keys, rows})
              .starts_with("the gradient of table 'bias', element 100 is "));
    dense[100] = std::numeric_limits<float>::denorm_min();
    rows[7] = bad;
    CHECK(refusal(store, {true, dense, keys, rows})
              .starts_with("the gradient of table 'v', the row of key 1 of the 2 that were "
                           "pushed, element 0 is "));
  }
}

TEST_CASE("keys and partitions of another shard are refused with the shard that owns them") {
  auto store = make_store(0, 2);
  const auto map = make_map(2);
  std::uint64_t foreign = 0;
  while (map.owner_of_key(foreign) == 0)
    ++foreign;
  const std::vector<std::uint64_t> keys{foreign};
  std::vector<float> body(store.row_floats(1));
  const auto read = testing::read(store, false, keys, body);
  REQUIRE(!read);
  CHECK(read.failure().text.find("of shard 1, but this is shard 0") != std::string::npos);
  CHECK(!testing::apply(store, {false, {}, keys, body}, 0.1F));
  CHECK(store.sparse_keys() == 0);

  CHECK(store.export_partition(7));
  const auto content = store.export_partition(8);
  REQUIRE(!content);
  CHECK(content.failure().text.starts_with("partition 8 is not one of shard 0"));
  CHECK(!store.export_partition(partitions));
}

TEST_CASE("a read into a body of another size is refused with both sizes") {
  const auto store = make_store(0, 1);
  std::vector<float> body(106);
  const std::vector<std::uint64_t> keys{1};
  const auto ok = testing::read(store, true, keys, body);
  REQUIRE(!ok);
  CHECK(ok.failure().text.starts_with("5 floats to read sparse rows into, expected 6"));
}

TEST_CASE("a model without sparse tables takes no keys") {
  const std::vector<table_spec> dense_only{{"w", table_kind::dense, 10}};
  auto map = partition_map::make(10, contiguous_owners(4, 1), 1);
  REQUIRE(map);
  auto store = parameter_store::make(dense_only, *map, 0, {}, job_seed);
  REQUIRE(store);
  const std::vector<std::uint64_t> keys{1};
  std::vector<float> body(10);
  CHECK(!testing::read(*store, true, keys, body));
  CHECK(testing::read(*store, true, {}, body));
  CHECK(body == std::vector<float>(10, 0.0F));
}

TEST_CASE("a store is not made from tables, map, shard or options that do not fit") {
  const auto text = [](std::vector<table_spec> specs, std::uint32_t shard,
                       const optimizer_options& options) {
    const auto store = parameter_store::make(std::move(specs), make_map(2), shard, options, 1);
    REQUIRE(!store);
    return store.failure().text;
  };
  auto other_size = tables();
  other_size[0].width = 100;
  auto no_name = tables();
  no_name[1].name.clear();
  CHECK(text(other_size, 0, {})
            .starts_with("the tables have 100 dense floats, but the partition "
                         "map has 101"));
  CHECK(text(no_name, 0, {}).starts_with("the name of a table has 0 bytes"));
  CHECK(text(tables(), 2, {}).starts_with("there is no shard 2"));
  CHECK(text(tables(), 0, {.kind = "x"}).starts_with("unknown optimizer 'x'"));
}
