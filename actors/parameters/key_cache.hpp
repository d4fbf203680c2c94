#pragma once

/// The key lists that one worker has sent to a shard, looked up already, so that a list that comes
/// again can travel as its name: 16 bytes instead of 8 for each key.
///
/// A list's name is its count and the 64-bit XXH3 of its bytes, computed on both sides; where the
/// keys themselves come, the receiver computes the name anew and does not believe the sender's.
/// Lists are compared by name only. Two of n honest lists share a name with a chance below
/// n^2 / 2^65: 5e-13 for a full cache of 4096. Collisions can be made on purpose, but only within
/// the lists of one worker, who could as well push wrong keys.
///
/// Limits: entries and bytes, whichever is reached first; the list that was not used for longest
/// goes. A name that is not found is no error: the worker is asked for the keys.

#include "actors/parameters/key_rows.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <span>

namespace gradmesh::parameters {

struct key_list_name {
  std::uint64_t hash = 0;
  std::uint64_t count = 0;

  auto operator<=>(const key_list_name&) const = default;
};

/// Byte order is that of the machine, which the wire shares (little-endian).
key_list_name name_of(std::span<const std::uint64_t> keys);

class key_cache {
public:
  key_cache(std::size_t entries_max, std::size_t bytes_max)
      : entries_max_(entries_max), bytes_max_(bytes_max) {}

  std::size_t entries() const { return by_name_.size(); }
  /// Memory of the lists; the bookkeeping around them is not counted.
  std::size_t bytes() const { return bytes_; }

  /// The list of this name, now the last one to go; null if it is not there. Valid until the next
  /// `keep`.
  key_rows* find(const key_list_name& name);

  /// Keeps a list, in the place of one of the same name. One that is larger than the whole cache is
  /// not kept.
  void keep(const key_list_name& name, key_rows rows);

private:
  struct entry {
    key_list_name name;
    std::size_t bytes = 0; // when it was kept; it does not grow
    key_rows rows;
  };
  using entry_list = std::list<entry>;
  void forget(entry_list::iterator which);

  std::size_t entries_max_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  entry_list entries_; // the one used last first
  std::map<key_list_name, entry_list::iterator> by_name_;
};

} // namespace gradmesh::parameters
