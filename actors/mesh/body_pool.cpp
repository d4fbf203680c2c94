#include "actors/mesh/body_pool.hpp"

#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace gradmesh::mesh {
namespace {

constexpr std::size_t alignment = 64;
/// A chunk of a tensor is a power of two of values, and keys or padding may come with it.
constexpr std::size_t slack_bytes = 4u << 10;
constexpr unsigned smallest_class = 15; // 32 KiB
constexpr unsigned class_count = 8;     // to 4 MiB; larger bodies are rare and go back at once

class body_pool {
public:
  void* take(unsigned size_class) {
    const std::lock_guard lock(mutex_);
    auto& free = free_[size_class];
    if (free.empty()) return nullptr;
    auto* memory = free.back();
    free.pop_back();
    kept_bytes_ -= bytes_of(size_class);
    return memory;
  }

  void give_back(void* memory, unsigned size_class) {
    {
      const std::lock_guard lock(mutex_);
      if (kept_bytes_ + bytes_of(size_class) <= pool_bytes_max) {
        kept_bytes_ += bytes_of(size_class);
        free_[size_class].push_back(memory);
        return;
      }
    }
    std::free(memory);
  }

  static std::size_t bytes_of(unsigned size_class) {
    return (std::size_t{1} << (smallest_class + size_class)) + slack_bytes;
  }

private:
  std::mutex mutex_;
  std::size_t kept_bytes_ = 0;
  std::array<std::vector<void*>, class_count> free_;
};

body_pool& pool() {
  // Never destroyed: bodies may outlive everything else.
  static auto* const the_pool = new body_pool;
  return *the_pool;
}

unsigned class_of(std::size_t bytes) {
  const auto power = bytes <= slack_bytes ? 0 : std::bit_width(bytes - slack_bytes - 1);
  return power <= static_cast<int>(smallest_class) ? 0
                                                   : static_cast<unsigned>(power) - smallest_class;
}

void* allocate(std::size_t bytes) {
  auto* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

} // namespace

std::shared_ptr<void> take_pooled(std::size_t bytes) {
  const auto size_class = class_of(bytes);
  if (size_class >= class_count) return {allocate(bytes), std::free};
  auto* memory = pool().take(size_class);
  if (!memory) memory = allocate(body_pool::bytes_of(size_class));
  return {memory, [size_class](void* used) { pool().give_back(used, size_class); }};
}

} // namespace gradmesh::mesh
