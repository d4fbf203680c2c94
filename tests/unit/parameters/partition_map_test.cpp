#include "actors/parameters/partition_map.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace gradmesh;
using namespace gradmesh::parameters;

namespace {

partition_map make_map(std::uint64_t dense, std::uint32_t partitions, std::uint32_t shards) {
  auto map = partition_map::make(dense, contiguous_owners(partitions, shards), shards);
  REQUIRE(map);
  return *map;
}

} // namespace

TEST_CASE("partitions tile the dense space evenly, and so do the shards' ranges") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    const auto dense = random() >> (random() % 64);
    const auto partitions = static_cast<std::uint32_t>(1 + random() % 300);
    const auto shards = static_cast<std::uint32_t>(1 + random() % 20);
    CAPTURE(dense);
    CAPTURE(partitions);
    CAPTURE(shards);
    const auto map = make_map(dense, partitions, shards);
    std::uint64_t end = 0;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      const auto range = map.dense_of_partition(p);
      REQUIRE(range.first == end);
      REQUIRE(range.size() >= dense / partitions);
      REQUIRE(range.size() <= dense / partitions + 1);
      end = range.last;
    }
    REQUIRE(end == dense);
    end = 0;
    for (std::uint32_t s = 0; s < shards; ++s) {
      const auto range = map.dense_of_shard(s);
      if (range.size() != 0) {
        REQUIRE(range.first == end);
        end = range.last;
      }
      const auto own = map.partitions_of(s);
      for (auto p = own.first; p < own.last; ++p)
        REQUIRE(map.owner(static_cast<std::uint32_t>(p)) == s);
    }
    REQUIRE(end == dense);
  }
}

TEST_CASE("neighbouring keys spread evenly over the partitions") {
  const auto map = make_map(0, 64, 4);
  std::vector<int> count(64);
  constexpr int keys = 64'000;
  for (std::uint64_t key = 0; key < keys; ++key)
    ++count[map.partition_of_key(key)];
  for (const int in_partition : count) {
    CHECK(in_partition > 800); // 1000 expected, standard deviation 31
    CHECK(in_partition < 1200);
  }
}

TEST_CASE("the hashes of a run of partitions begin and end where the partitions do") {
  for (const std::uint32_t partitions : {1U, 3U, 64U, 1000U, partitions_max}) {
    CAPTURE(partitions);
    const auto map = make_map(0, partitions, 1);
    CHECK(map.hashes_of({0, partitions}) == hash_range{});
    std::uint64_t first = 0;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      const auto range = map.hashes_of({p, p + std::uint64_t{1}});
      REQUIRE(range.first == first);
      REQUIRE(map.partition_of_hash(range.first) == p);
      REQUIRE(map.partition_of_hash(range.last) == p);
      first = range.last + 1;
    }
    CHECK(first == 0); // the last hash is the last of all
    const auto some = map.hashes_of({partitions / 2, partitions});
    CHECK(map.partition_of_hash(some.first) == partitions / 2);
    CHECK(some.last == ~std::uint64_t{0});
  }
}

TEST_CASE("a hash leads back to its key") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}})
    CHECK(unmix(mix(key)) == key);
  for (int i = 0; i < 10'000; ++i) {
    const auto key = random() >> (random() % 64);
    REQUIRE(unmix(mix(key)) == key);
  }
}

TEST_CASE("the partition of a key is part of the protocol and stays as it is") {
  const auto map = make_map(0, 64, 4);
  CHECK(mix(0) == 0xe220a8397b1dcdafU); // first output of splitmix64 seeded with 0
  CHECK(map.partition_of_key(0) == 56);
  CHECK(map.owner_of_key(0) == 3);
}

TEST_CASE("more shards than partitions leave some shards with nothing") {
  const auto map = make_map(100, 2, 5);
  std::uint64_t owned = 0;
  for (std::uint32_t s = 0; s < 5; ++s)
    owned += map.partitions_of(s).size();
  CHECK(owned == 2);
  CHECK(map.dense_of_shard(0).size() == 0);
}

TEST_CASE("owners that make no contiguous dense ranges are refused by name") {
  const auto text = [](std::vector<std::uint32_t> owners, std::uint32_t shards) {
    const auto map = partition_map::make(10, std::move(owners), shards);
    REQUIRE(!map);
    CHECK(map.failure().code == errc::invalid_argument);
    return map.failure().text;
  };
  CHECK(text({0, 1, 0}, 2).find("shard 0 owns partitions up to 0 and again 2") == 0);
  CHECK(text({0, 2}, 2).find("partition 1 belongs to shard 2") == 0);
  CHECK(text({}, 2).find("0 partitions") == 0);
  CHECK(text({0}, 0).find("0 shards") == 0);
  CHECK(text(std::vector<std::uint32_t>(partitions_max + 1), 1).find("65537 partitions") == 0);
}
