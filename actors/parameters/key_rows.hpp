#pragma once

/// A list of keys that a shard has checked and looked up. It may be kept and used again for as long
/// as the shard's parameters live: rows do not move, and a key that had no row is looked up again
/// each time. It knows the keys no more, only where they lead, unless it is told to remember them.

#include "actors/parameters/key_index.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::parameters {

class key_rows {
public:
  std::size_t size() const { return numbers_.size(); }
  /// Keys that had no row when they were last looked up.
  std::size_t absent() const { return absent_.size(); }
  /// Memory that it takes.
  std::size_t bytes() const {
    return sizeof(key_rows) + numbers_.capacity() * sizeof(std::uint32_t) +
           keys_.capacity() * sizeof(std::uint64_t) + absent_.capacity() * sizeof(absent_key);
  }

  void remember(std::span<const std::uint64_t> keys) { keys_.assign(keys.begin(), keys.end()); }
  /// Nothing, unless it was told to remember them.
  std::span<const std::uint64_t> keys() const { return keys_; }

private:
  friend class sparse_parameters;
  struct absent_key {
    std::uint64_t hash = 0;
    std::uint32_t position = 0;
  };
  std::vector<std::uint32_t> numbers_; // by position: `key_index::no_row` where absent
  std::vector<absent_key> absent_;     // by position
  std::vector<std::uint64_t> keys_;
};

} // namespace gradmesh::parameters
