#include "actors/parameters/key_cache.hpp"

#include <xxhash.h>

#include <iterator>
#include <utility>

namespace gradmesh::parameters {

key_list_name name_of(std::span<const std::uint64_t> keys) {
  return {XXH3_64bits(keys.data(), keys.size_bytes()), keys.size()};
}

key_rows* key_cache::find(const key_list_name& name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->rows;
}

void key_cache::keep(const key_list_name& name, key_rows rows) {
  if (const auto same = by_name_.find(name); same != by_name_.end()) forget(same->second);
  const auto bytes = rows.bytes();
  if (bytes > bytes_max_ || entries_max_ == 0) return;
  while (entries_.size() == entries_max_ || bytes_ + bytes > bytes_max_)
    forget(std::prev(entries_.end()));
  entries_.push_front({name, bytes, std::move(rows)});
  by_name_[name] = entries_.begin();
  bytes_ += bytes;
}

void key_cache::forget(entry_list::iterator which) {
  bytes_ -= which->bytes;
  by_name_.erase(which->name);
  entries_.erase(which);
}

} // namespace gradmesh::parameters
