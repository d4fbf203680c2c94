#include "actors/parameters/key_index.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace gradmesh::parameters;

namespace {

/// Both ways of searching.
std::uint32_t find(const key_index& index, std::uint64_t hash) {
  std::uint32_t row = 77;
  index.find(std::span(&hash, 1), &row);
  return row;
}

} // namespace

TEST_CASE("an index agrees with std::map over random keys, whatever range their hashes lie in") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  for (const auto set : supported_instruction_sets()) {
    CAPTURE(to_string(set));
    for (const hash_range range :
         {hash_range{}, hash_range{std::uint64_t{1} << 63, ~std::uint64_t{0}},
          hash_range{12345, 12345 + (std::uint64_t{1} << 50)}}) {
      std::mt19937_64 random(seed);
      const auto width = range.last - range.first;
      key_index index(range, set);
      std::map<std::uint64_t, std::uint32_t> rows;
      std::vector<std::uint64_t> hashes;
      for (int i = 0; i < 20'000; ++i) {
        const auto again = !hashes.empty() && random() % 4 == 0;
        const auto hash = again        ? hashes[random() % hashes.size()]
                          : width + 1U ? range.first + random() % (width + 1)
                                       : random();
        const auto known = rows.find(hash);
        REQUIRE(find(index, hash) == (known == rows.end() ? key_index::no_row : known->second));
        const auto row = index.find_or_insert(hash);
        if (known == rows.end()) {
          REQUIRE(row == index.size());
          rows[hash] = row;
          hashes.push_back(hash);
        } else {
          REQUIRE(row == known->second);
        }
      }
      REQUIRE(index.size() == rows.size());
      std::vector<std::uint32_t> found(hashes.size());
      index.find(hashes, found.data());
      for (std::size_t i = 0; i < hashes.size(); ++i)
        REQUIRE(found[i] == i + 1);
    }
  }
}

TEST_CASE("hashes that crowd into one bucket, the last and the zero among them, are all found") {
  for (const auto set : supported_instruction_sets()) {
    CAPTURE(to_string(set));
    key_index index({}, set);
    std::vector<std::uint64_t> hashes;
    for (std::uint64_t i = 0; i < 300; ++i) {
      hashes.push_back(i);  // overflow from the first bucket
      hashes.push_back(~i); // overflow from the last bucket into the first
    }
    CHECK(find(index, 0) == key_index::no_row);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      REQUIRE(index.find_or_insert(hashes[i]) == i + 1);
      for (std::size_t j = 0; j <= i; ++j)
        REQUIRE(find(index, hashes[j]) == j + 1);
    }
    CHECK(find(index, 300) == key_index::no_row);
    CHECK(find(index, ~std::uint64_t{300}) == key_index::no_row);
  }
}

TEST_CASE("the entries of a range are those whose hashes lie in it") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  key_index index({});
  std::set<std::uint64_t> all;
  for (std::uint64_t i = 0; i < 3000; ++i)
    all.insert(i % 3 == 0 ? i : i % 3 == 1 ? ~i : random()); // crowds at both ends
  for (const auto hash : all)
    index.find_or_insert(hash);
  const auto check = [&](hash_range range) {
    std::vector<std::uint64_t> found;
    for (const auto& entry : index.entries(range)) {
      found.push_back(entry.hash);
      REQUIRE(entry.row == find(index, entry.hash));
    }
    std::ranges::sort(found);
    REQUIRE(std::ranges::equal(
        found, std::ranges::subrange(all.lower_bound(range.first), all.upper_bound(range.last))));
  };
  check({});
  check({0, 10});
  check({~std::uint64_t{10}, ~std::uint64_t{0}});
  check({~std::uint64_t{2000}, ~std::uint64_t{1500}});
  for (int i = 0; i < 200; ++i) {
    const auto a = random(), b = random();
    check({std::min(a, b), std::max(a, b)});
  }
}
