#include "actors/parameters/gradient_sum.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <map>
#include <random>

using namespace gradmesh;
using namespace gradmesh::parameters;

namespace {

const std::vector<std::size_t> widths{1, 3};

/// A gradient that owns its memory.
struct leaf {
  std::vector<float> dense;
  std::vector<std::uint64_t> keys;
  std::vector<float> rows;

  gradient view() const { return {!dense.empty(), dense, keys, rows}; }
};

leaf keep(const gradient& g) {
  return {{g.dense.begin(), g.dense.end()},
          {g.keys.begin(), g.keys.end()},
          {g.rows.begin(), g.rows.end()}};
}

std::vector<leaf> random_leaves(std::mt19937_64& random, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<leaf> leaves(count);
  for (auto& one : leaves) {
    if (random() % 8 != 0) // now and then a leaf without a dense part
      for (int i = 0; i < 3000; ++i)
        one.dense.push_back(normal(random));
    for (std::uint64_t key = 0; key < 60; ++key)
      if (random() % 2 == 0) one.keys.push_back(key * 1000);
    for (std::size_t i = 0; i < one.keys.size() * 4; ++i)
      one.rows.push_back(normal(random));
  }
  return leaves;
}

leaf sum(std::span<const leaf> leaves) {
  std::vector<gradient> parts;
  for (const auto& one : leaves)
    parts.push_back(one.view());
  gradient_sum adder(widths);
  const auto total = adder.add(parts);
  REQUIRE(total);
  return keep(*total);
}

/// `workers` each sum an equal run of the leaves, the server sums the workers.
leaf sum_by_workers(std::span<const leaf> leaves, std::size_t workers) {
  std::vector<leaf> sums;
  const auto run = leaves.size() / workers;
  for (std::size_t w = 0; w < workers; ++w)
    sums.push_back(sum(leaves.subspan(w * run, run)));
  return sum(sums);
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

void check_same_bits(const leaf& a, const leaf& b) {
  CHECK(a.keys == b.keys);
  CHECK(same_bits(a.dense, b.dense));
  CHECK(same_bits(a.rows, b.rows));
}

/// The tree by its definition: pairs by pairs, an odd one is carried up.
float tree(std::vector<float> level) {
  while (level.size() > 1) {
    std::vector<float> next;
    for (std::size_t i = 0; i < level.size(); i += 2)
      next.push_back(i + 1 < level.size() ? level[i] + level[i + 1] : level[i]);
    level = next;
  }
  return level[0];
}

} // namespace

TEST_CASE("1, 2 and 4 workers over the same 4 leaves give the same bits") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    const auto leaves = random_leaves(random, 4);
    const auto by_one = sum_by_workers(leaves, 1);
    check_same_bits(by_one, sum_by_workers(leaves, 2));
    check_same_bits(by_one, sum_by_workers(leaves, 4));
  }
}

TEST_CASE("16 leaves give the same bits however aligned runs of them are grouped") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto leaves = random_leaves(random, 16);
  const auto by_one = sum_by_workers(leaves, 1);
  for (const std::size_t workers : {2U, 4U, 8U, 16U}) {
    CAPTURE(workers);
    check_same_bits(by_one, sum_by_workers(leaves, workers));
  }
}

TEST_CASE("any number of gradients is summed as the tree that carries an odd one up") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  for (std::size_t count = 1; count <= 11; ++count) {
    CAPTURE(count);
    std::vector<leaf> leaves(count);
    for (auto& one : leaves) {
      one.keys = {5, 6};
      for (int i = 0; i < 1500; ++i)
        one.dense.push_back(normal(random));
      for (int i = 0; i < 8; ++i)
        one.rows.push_back(normal(random));
    }
    const auto total = sum(leaves);
    std::vector<float> column(count);
    for (std::size_t i = 0; i < 1500; ++i) {
      for (std::size_t l = 0; l < count; ++l)
        column[l] = leaves[l].dense[i];
      REQUIRE(total.dense[i] == tree(column));
    }
    for (std::size_t i = 0; i < 8; ++i) {
      for (std::size_t l = 0; l < count; ++l)
        column[l] = leaves[l].rows[i];
      REQUIRE(total.rows[i] == tree(column));
    }
  }
}

TEST_CASE("summed block by block and part by part, the bits are those of the whole sum") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (std::size_t count = 1; count <= 9; ++count) {
    CAPTURE(count);
    const auto leaves = random_leaves(random, count);
    const auto whole = sum(leaves);
    std::vector<sparse_gradient> sparse;
    for (const auto& one : leaves)
      sparse.push_back({one.keys, one.rows});
    gradient_sum adder(widths);
    const auto rows = adder.sum_sparse(sparse);
    REQUIRE(rows);
    CHECK(std::vector<std::uint64_t>(rows->keys.begin(), rows->keys.end()) == whole.keys);
    CHECK(same_bits({rows->rows.begin(), rows->rows.end()}, whole.rows));
    if (whole.dense.empty()) continue;
    std::vector<float> out(3000);
    for (std::size_t first = 0; first < out.size();) {
      const auto n = std::min<std::size_t>(1 + random() % 1500, out.size() - first);
      std::vector<std::span<const float>> block;
      for (const auto& one : leaves)
        block.push_back(one.dense.empty() ? std::span<const float>()
                                          : std::span(one.dense).subspan(first, n));
      REQUIRE(sum_dense(block, std::span(out).subspan(first, n)));
      first += n;
    }
    CHECK(same_bits(out, whole.dense));
  }
}

TEST_CASE("blocks that do not fit together, or that nobody has, are refused") {
  std::vector<float> a(5), b(6), out(5);
  const std::vector<std::span<const float>> uneven{a, {}, b}, nobody{{}, {}};
  const auto one_longer = sum_dense(uneven, out);
  REQUIRE(!one_longer);
  CHECK(one_longer.failure().text == "gradient 2 of 3 has 6 dense floats, but 5 are summed");
  const auto none = sum_dense(nobody, out);
  REQUIRE(!none);
  CHECK(none.failure().text == "none of 2 gradients has the 5 dense floats to sum");
  CHECK(sum_dense(nobody, {}));
}

TEST_CASE("sparse gradients are merged key by key in every table") {
  const leaf a{{}, {1, 5}, {1, 5, /**/ 10, 11, 12, 50, 51, 52}};
  const leaf b{{}, {2, 5}, {2, 6, /**/ 20, 21, 22, 60, 61, 62}};
  const auto total = sum(std::vector{a, b});
  CHECK(total.keys == std::vector<std::uint64_t>{1, 2, 5});
  CHECK(total.rows == std::vector<float>{1, 2, 11, /**/ 10, 11, 12, 20, 21, 22, 110, 112, 114});
  CHECK(total.dense.empty());
}

TEST_CASE("a single gradient is not copied, and none is an empty one") {
  const leaf one{{1, 2}, {7}, {1, 2, 3, 4}};
  gradient_sum adder(widths);
  const std::vector<gradient> parts{one.view()};
  const auto total = adder.add(parts);
  REQUIRE(total);
  CHECK(total->dense.data() == one.dense.data());
  CHECK(total->rows.data() == one.rows.data());
  const auto nothing = adder.add({});
  REQUIRE(nothing);
  CHECK(!nothing->has_dense);
  CHECK(nothing->keys.empty());
}

TEST_CASE("one adder gives the same sums when it is used again with other sizes") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  gradient_sum adder(widths);
  for (const std::size_t count : {5U, 2U, 7U, 3U}) {
    const auto leaves = random_leaves(random, count);
    std::vector<gradient> parts;
    for (const auto& one : leaves)
      parts.push_back(one.view());
    const auto total = adder.add(parts);
    REQUIRE(total);
    check_same_bits(keep(*total), sum(leaves));
  }
}

TEST_CASE("gradients whose sizes do not fit together are refused with the sizes") {
  const auto text = [](const leaf& a, const leaf& b) {
    gradient_sum adder(widths);
    const std::vector<gradient> parts{a.view(), b.view()};
    const auto total = adder.add(parts);
    REQUIRE(!total);
    CHECK(total.failure().code == errc::invalid_argument);
    return total.failure().text;
  };
  CHECK(text({{1, 2}, {}, {}}, {{1, 2, 3}, {}, {}}).find("gradient 1 of 2 has 3 dense") == 0);
  CHECK(text({{}, {}, {}}, {{}, {1}, {1, 2, 3}}).find("gradient 1 of 2 has 3 row floats") == 0);
}
