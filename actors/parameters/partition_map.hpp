#pragma once

/// Which partition a parameter belongs to, and which shard owns the partition. A pure function of
/// (dense size, owners): every worker and shard that knows these two computes the same.
///
/// All dense tables of a model form one flat space of N floats; of P partitions, partition p holds
/// [N p / P, N (p + 1) / P), whatever tensor borders lie there. A sparse row belongs to partition
/// floor(mix(key) P / 2^64).

#include "actors/error.hpp"

#include <cstdint>
#include <vector>

namespace gradmesh::parameters {

inline constexpr std::uint32_t partitions_max = 1U << 16;

/// Elements [first, last) of a flat space.
struct element_range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  std::uint64_t size() const { return last - first; }
  bool operator==(const element_range&) const = default;
};

/// A bijection of 64-bit numbers in which every output bit depends on every input bit: one step of
/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
inline std::uint64_t mix(std::uint64_t key) {
  key += 0x9e3779b97f4a7c15U;
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9U;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebU;
  return key ^ (key >> 31);
}

/// The key that has this `mix`.
inline std::uint64_t unmix(std::uint64_t hash) {
  hash = (hash ^ (hash >> 31) ^ (hash >> 62)) * 0x319642b2d24d8ec3U;
  hash = (hash ^ (hash >> 27) ^ (hash >> 54)) * 0x96de1b173f119089U;
  hash = hash ^ (hash >> 30) ^ (hash >> 60);
  return hash - 0x9e3779b97f4a7c15U;
}

/// Mixed keys from `first` to `last`, both included.
struct hash_range {
  std::uint64_t first = 0;
  std::uint64_t last = ~std::uint64_t{0};

  bool operator==(const hash_range&) const = default;
};

/// Shard s owns the partitions [P s / S, P (s + 1) / S). With fewer partitions than shards some
/// shards own nothing.
std::vector<std::uint32_t> contiguous_owners(std::uint32_t partitions, std::uint32_t shards);

class partition_map {
public:
  /// `owners[p]` is the shard that owns partition p. `errc::invalid_argument` unless there are 1 to
  /// `partitions_max` partitions, all owners are below `shards`, and each shard's partitions lie
  /// side by side (so that its dense parameters are one range).
  static result<partition_map> make(std::uint64_t dense_size, std::vector<std::uint32_t> owners,
                                    std::uint32_t shards);

  std::uint64_t dense_size() const { return dense_size_; }
  std::uint32_t partitions() const { return static_cast<std::uint32_t>(owners_.size()); }
  std::uint32_t shards() const { return static_cast<std::uint32_t>(shard_partitions_.size()); }

  std::uint32_t owner(std::uint32_t partition) const { return owners_[partition]; }
  /// The partitions [first, last) of a shard; empty where it owns none.
  element_range partitions_of(std::uint32_t shard) const { return shard_partitions_[shard]; }

  element_range dense_of_partition(std::uint32_t partition) const;
  element_range dense_of_shard(std::uint32_t shard) const;

  std::uint32_t partition_of_key(std::uint64_t key) const { return partition_of_hash(mix(key)); }
  /// The same for a key that is mixed already.
  std::uint32_t partition_of_hash(std::uint64_t hash) const {
    return static_cast<std::uint32_t>((static_cast<unsigned __int128>(hash) * owners_.size()) >>
                                      64);
  }
  /// The hashes whose keys belong to these partitions; all hashes for no partition at all.
  hash_range hashes_of(element_range partitions) const;
  std::uint32_t owner_of_key(std::uint64_t key) const { return owners_[partition_of_key(key)]; }

private:
  partition_map() = default;

  std::uint64_t dense_size_ = 0;
  std::vector<std::uint32_t> owners_;
  std::vector<element_range> shard_partitions_;
};

} // namespace gradmesh::parameters
