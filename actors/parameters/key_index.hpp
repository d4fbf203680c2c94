#pragma once

/// From the keys of a shard to the numbers of their rows. Row numbers count up from 1; 0 means that
/// a key has none.
///
/// Keys go by their `mix`, which is a bijection. The table is an array of buckets that fill one
/// cache line each; a key's bucket is its hash scaled to the array, so that the buckets lie in the
/// order of the hashes: a partition is one run of buckets, and growth is one pass from front to
/// back. A bucket that is full overflows into the next.
///
/// Keys are never removed. Limit: `rows_max` keys, which the caller checks before it inserts one.

#include "actors/parameters/partition_map.hpp"
#include "actors/parameters/vector_loop.hpp"
#include "actors/parameters/zeroed_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::parameters {

class key_index {
public:
  static constexpr std::size_t rows_max = std::size_t{1} << 31;
  static constexpr std::uint32_t no_row = 0;

  /// For keys whose hashes lie in `hashes`.
  explicit key_index(hash_range hashes, instruction_set set = best_instruction_set());

  std::size_t size() const { return size_; }

  /// The row numbers of many keys at once, so that the waits for memory overlap.
  void find(std::span<const std::uint64_t> hashes, std::uint32_t* rows) const;

  /// The number of the key's row; a key that has none gets the next one. Only a call that comes
  /// back with the new `size()` has made a row.
  std::uint32_t find_or_insert(std::uint64_t hash);
  /// Asks the cache for the place where a search begins.
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&buckets()[home(hash)]); }

  struct entry {
    std::uint64_t hash = 0;
    std::uint32_t row = no_row;
  };
  /// In no particular order.
  std::vector<entry> entries(hash_range hashes) const;

private:
  static constexpr std::size_t bucket_keys = 5;
  /// Filled from the front; what is empty is zeros. An empty place looks like the key whose hash is
  /// 0, but it gives no row, and that key, if it has one, comes before it.
  struct alignas(64) bucket {
    std::uint64_t hashes[bucket_keys];
    std::uint32_t rows[bucket_keys];
  };
  static_assert(sizeof(bucket) == 64);

  bucket* buckets() const { return memory_.as<bucket>(); }
  std::size_t home(std::uint64_t hash) const {
    return static_cast<std::size_t>(
        (static_cast<unsigned __int128>(hash - hashes_.first) * scale_) >> 64);
  }
  std::size_t next(std::size_t at) const { return at + 1 == count_ ? 0 : at + 1; }
  std::uint32_t find_from(std::size_t at, std::uint64_t hash) const;
  void find_portable(std::span<const std::uint64_t> hashes, std::uint32_t* rows) const;
#if defined(__x86_64__)
  GRADMESH_AVX512 void find_avx512(std::span<const std::uint64_t> hashes,
                                   std::uint32_t* rows) const;
#endif
  void set_count(std::size_t count);
  /// The row that the key has; if none, `row`, which it gets.
  std::uint32_t find_or_place(std::uint64_t hash, std::uint32_t row);
  void grow();

  hash_range hashes_;
  instruction_set set_;
  std::size_t size_ = 0;
  std::size_t count_ = 0;   // of buckets
  std::uint64_t scale_ = 0; // 2^64 count_ / number of hashes
  zeroed_memory memory_;
};

} // namespace gradmesh::parameters
