#pragma once

/// Host memory from which a device copies without a detour (pinned, where the backend has such).
/// Grows and never shrinks.
///
/// Failure: out of memory is a fault of the backend; the span is then empty.

#include "gpu/backend.hpp"

#include <span>
#include <type_traits>
#include <utility>

namespace gradmesh::gpu {

template <class T>
class host_buffer {
  static_assert(std::is_trivially_copyable_v<T>);

public:
  explicit host_buffer(backend& owner) : owner_(&owner) {}
  host_buffer(host_buffer&& other) noexcept
      : owner_(other.owner_), memory_(std::exchange(other.memory_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  host_buffer& operator=(host_buffer&&) = delete;
  ~host_buffer() { owner_->release_host(memory_); }

  /// Room for `count` elements with undefined content. Ends the life of earlier spans.
  std::span<T> room(std::size_t count) {
    if (count > capacity_) {
      owner_->release_host(memory_);
      memory_ = static_cast<T*>(owner_->allocate_host(count * sizeof(T)));
      capacity_ = memory_ ? count : 0;
    }
    return memory_ ? std::span<T>(memory_, count) : std::span<T>();
  }

private:
  backend* owner_;
  T* memory_ = nullptr;
  std::size_t capacity_ = 0;
};

} // namespace gradmesh::gpu
