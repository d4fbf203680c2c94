#include "actors/learning/index_cache.hpp"

#include <xxhash.h>

#include <algorithm>
#include <iterator>

namespace gradmesh::learning {

index_cache::path index_cache::find(std::span<const std::uint32_t> offsets,
                                    std::span<const std::uint32_t> columns) {
  if (backend_.shares_host_memory())
    return {{offsets.data(), offsets.size()}, {columns.data(), columns.size()}};
  const auto of_offsets = XXH3_64bits(offsets.data(), offsets.size_bytes());
  const name wanted{XXH3_64bits_withSeed(columns.data(), columns.size_bytes(), of_offsets),
                    offsets.size(), columns.size()};
  const auto found = by_name_.find(wanted);
  if (found == by_name_.end()) {
    auto& next = make_room(wanted);
    return {next.offsets.upload(offsets), next.columns.upload(columns)};
  }
  ++hits_;
  backend_.note_spared(offsets.size_bytes() + columns.size_bytes());
  kept_.splice(kept_.begin(), kept_, found->second);
  auto& known = kept_.front();
  return {known.offsets.scratch(offsets.size()), known.columns.scratch(columns.size())};
}

index_cache::kept& index_cache::make_room(const name& of) {
  const auto bytes = (of.rows + of.entries) * sizeof(std::uint32_t);
  while (bytes_ + bytes > bytes_max_ && kept_.size() > 1) {
    by_name_.erase(kept_.back().of);
    bytes_ -= kept_.back().bytes;
    kept_.pop_back(); // the backend's pool has its memory for the next
  }
  if (bytes_ + bytes > bytes_max_ && !kept_.empty()) { // one alone is used again
    by_name_.erase(kept_.front().of);
    bytes_ -= kept_.front().bytes;
  } else {
    kept_.emplace_front(backend_);
  }
  auto& next = kept_.front();
  next.of = of;
  next.bytes = std::max(next.bytes, bytes);
  bytes_ += next.bytes;
  by_name_[of] = kept_.begin();
  return next;
}

} // namespace gradmesh::learning
