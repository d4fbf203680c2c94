#pragma once

/// Host memory from which a device copies without a detour, for others than the backend's thread: a
/// worker receives parameters into it while the device computes. `backend::make_pinned` makes one;
/// it outlives the backend, so that what was received for a device that is lost is still there for
/// the next.
///
/// Failure: where there is no more of this memory, ordinary memory is handed out, from which copies
/// take the detour. Thread-safe. Keeps what is released for use again.

#include "gpu/memory_pool.hpp"

#include <cstddef>
#include <memory_resource>
#include <mutex>

namespace gradmesh::gpu {

class pinned_memory final : public std::pmr::memory_resource {
public:
  pinned_memory(memory_pool::source from, std::size_t bytes_max)
      : pool_(std::move(from), bytes_max) {}

  /// Whether this address lies in a block of this memory that is handed out.
  bool holds(const void* memory) const {
    const std::lock_guard lock(mutex_);
    return pool_.holds(memory);
  }
  memory_use use() const {
    const std::lock_guard lock(mutex_);
    return pool_.use();
  }

private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    {
      const std::lock_guard lock(mutex_);
      if (void* memory = pool_.allocate(bytes)) return memory;
    }
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    {
      const std::lock_guard lock(mutex_);
      if (pool_.holds(memory)) return pool_.release(memory);
    }
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  mutable std::mutex mutex_;
  memory_pool pool_;
};

} // namespace gradmesh::gpu
