#include "actors/parameters/partition_map.hpp"

#include <fmt/format.h>

#include <utility>

namespace gradmesh::parameters {

namespace {

/// floor(total * part / parts) without overflow.
std::uint64_t share(std::uint64_t total, std::uint64_t part, std::uint64_t parts) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(total) * part / parts);
}

} // namespace

std::vector<std::uint32_t> contiguous_owners(std::uint32_t partitions, std::uint32_t shards) {
  std::vector<std::uint32_t> owners(partitions);
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    const auto last = share(partitions, shard + std::uint64_t{1}, shards);
    for (auto p = share(partitions, shard, shards); p < last; ++p)
      owners[p] = shard;
  }
  return owners;
}

result<partition_map> partition_map::make(std::uint64_t dense_size,
                                          std::vector<std::uint32_t> owners, std::uint32_t shards) {
  if (owners.empty() || owners.size() > partitions_max)
    return {errc::invalid_argument,
            fmt::format("{} partitions; use 1 to {}", owners.size(), partitions_max)};
  if (shards == 0 || shards > partitions_max)
    return {errc::invalid_argument, fmt::format("{} shards; use 1 to {}", shards, partitions_max)};

  std::vector<element_range> shard_partitions(shards);
  for (std::size_t p = 0; p < owners.size(); ++p) {
    if (owners[p] >= shards)
      return {errc::invalid_argument,
              fmt::format("partition {} belongs to shard {}, but there are {} shards (0 to {})", p,
                          owners[p], shards, shards - 1)};
    auto& own = shard_partitions[owners[p]];
    if (own.size() == 0) own = {p, p};
    if (own.last != p)
      return {errc::invalid_argument,
              fmt::format("shard {} owns partitions up to {} and again {}; the partitions of a "
                          "shard must lie side by side",
                          owners[p], own.last - 1, p)};
    own.last = p + 1;
  }

  partition_map map;
  map.dense_size_ = dense_size;
  map.owners_ = std::move(owners);
  map.shard_partitions_ = std::move(shard_partitions);
  return map;
}

element_range partition_map::dense_of_partition(std::uint32_t partition) const {
  return {share(dense_size_, partition, partitions()),
          share(dense_size_, partition + std::uint64_t{1}, partitions())};
}

element_range partition_map::dense_of_shard(std::uint32_t shard) const {
  const auto own = shard_partitions_[shard];
  return {share(dense_size_, own.first, partitions()), share(dense_size_, own.last, partitions())};
}

hash_range partition_map::hashes_of(element_range partitions) const {
  if (partitions.size() == 0) return {};
  // The first hash of partition p is 2^64 p / P, rounded up.
  const auto first_of = [&](std::uint64_t p) {
    const auto whole = (static_cast<unsigned __int128>(p) << 64) + owners_.size() - 1;
    return whole / owners_.size();
  };
  return {static_cast<std::uint64_t>(first_of(partitions.first)),
          static_cast<std::uint64_t>(first_of(partitions.last) - 1)};
}

} // namespace gradmesh::parameters
