#pragma once

/// The rows of one sparse table in one partition: an index from key to row number (open addressing,
/// linear probing) over an arena of rows that grows by chunks, so that growth never moves a row.
/// A row holds `row_floats` floats: values, optimizer state, whatever the caller puts there.
///
/// Rows are never removed. Limit: `rows_max` rows, which the caller checks before it creates one.
/// Callers pass each key with its `mix`, because they have it already.

#include "actors/parameters/partition_map.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace gradmesh::parameters {

class sparse_table {
public:
  /// Leaves the index at most half full of 2^32 slots.
  static constexpr std::size_t rows_max = std::size_t{1} << 31;

  explicit sparse_table(std::size_t row_floats);

  std::size_t row_floats() const { return row_floats_; }

  /// Asks the cache for the slot where a search for this key begins.
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }

  /// The key's row, or null.
  float* find(std::uint64_t key, std::uint64_t hash) const;

  /// A new row of unspecified content for a key that has none. Other rows stay where they are.
  float* create(std::uint64_t key, std::uint64_t hash);

  /// Keys in ascending order, each with its row.
  struct entry {
    std::uint64_t key = 0;
    const float* row = nullptr;
  };
  std::vector<entry> sorted_entries() const;

private:
  struct slot {
    std::uint64_t key = 0;
    std::uint32_t row = empty;
  };
  static constexpr std::uint32_t empty = 0xffffffffU;

  float* row(std::uint32_t number) const {
    return chunks_[number >> chunk_shift_].get() +
           (number & ((1U << chunk_shift_) - 1)) * row_floats_;
  }
  void place(std::uint64_t key, std::uint64_t hash, std::uint32_t number);
  void grow_index();

  std::size_t row_floats_;
  unsigned chunk_shift_; // log2 of the rows in a chunk
  std::size_t size_ = 0;
  std::uint64_t mask_; // slots_.size() - 1
  std::vector<slot> slots_;
  std::vector<std::unique_ptr<float[]>> chunks_;
};

} // namespace gradmesh::parameters
