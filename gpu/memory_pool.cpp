#include "gpu/memory_pool.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace gradmesh::gpu {

std::size_t memory_pool::block_bytes(std::size_t bytes) {
  constexpr std::size_t granule_min = 512;
  const auto granule = std::max(granule_min, std::bit_floor(bytes) / 8);
  return (std::max<std::size_t>(bytes, 1) + granule - 1) / granule * granule;
}

memory_pool::memory_pool(source from, std::size_t bytes_max) : from_(std::move(from)) {
  use_.limit = bytes_max;
}

memory_pool::~memory_pool() {
  trim();
  for (const auto& [memory, bytes] : used_)
    from_.give_back(memory);
}

void* memory_pool::allocate(std::size_t bytes) {
  const auto rounded = block_bytes(bytes);
  if (rounded < bytes || rounded > use_.limit) return nullptr;
  void* memory = reuse(rounded);
  if (memory) return memory;
  if (use_.held > use_.limit - rounded) trim();
  memory = take(rounded);
  if (!memory && !free_.empty()) {
    trim();
    memory = take(rounded);
  }
  return memory;
}

void* memory_pool::reuse(std::size_t bytes) {
  const auto found = free_.lower_bound(bytes);
  // A block more than half too large is left for somebody who needs it.
  if (found == free_.end() || found->first > bytes + bytes / 2) return nullptr;
  const auto [size, memory] = *found;
  free_.erase(found);
  used_[memory] = size;
  use_.in_use += size;
  return memory;
}

void* memory_pool::take(std::size_t bytes) {
  if (use_.held > use_.limit - bytes) return nullptr;
  void* memory = from_.take(bytes);
  if (!memory) return nullptr;
  ++use_.allocations;
  used_[memory] = bytes;
  use_.held += bytes;
  use_.in_use += bytes;
  return memory;
}

void memory_pool::release(void* memory) {
  const auto found = used_.find(memory);
  if (found == used_.end()) return;
  use_.in_use -= found->second;
  free_.emplace(found->second, memory);
  used_.erase(found);
}

bool memory_pool::holds(const void* memory) const {
  const auto after = used_.upper_bound(const_cast<void*>(memory));
  if (after == used_.begin()) return false;
  const auto& [begin, bytes] = *std::prev(after);
  return static_cast<const std::byte*>(memory) < static_cast<const std::byte*>(begin) + bytes;
}

void memory_pool::trim() {
  for (const auto& [bytes, memory] : free_) {
    from_.give_back(memory);
    use_.held -= bytes;
  }
  free_.clear();
}

} // namespace gradmesh::gpu
