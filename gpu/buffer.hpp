#pragma once

/// Memory of a backend that grows and never shrinks, so that a model that sees batches of about the
/// same size stops allocating after the first. Where the backend shares host memory, `upload` and
/// `output` hand out the host memory itself and nothing is allocated or copied.
///
/// Failure: out of memory is a fault of the backend; the views are then empty.

#include "gpu/backend.hpp"

#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace gradmesh::gpu {

template <class T>
class buffer {
  static_assert(std::is_trivially_copyable_v<T>);

public:
  explicit buffer(backend& owner) : owner_(&owner) {}
  buffer(buffer&& other) noexcept
      : owner_(other.owner_), memory_(std::exchange(other.memory_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  buffer& operator=(buffer&&) = delete;
  ~buffer() { owner_->release(memory_); }

  /// Room for `count` elements with undefined content. Ends the life of earlier views.
  device_span<T> scratch(std::size_t count) {
    if (count > capacity_) {
      owner_->release(memory_);
      constexpr auto most = std::numeric_limits<std::size_t>::max();
      const auto bytes = count > most / sizeof(T) ? most : count * sizeof(T);
      memory_ = static_cast<T*>(owner_->allocate(bytes));
      capacity_ = memory_ ? count : 0;
    }
    return memory_ || count == 0 ? device_span<T>{memory_, count} : device_span<T>{};
  }

  /// `host` where the backend can read it.
  device_span<const T> upload(std::span<const T> host) {
    if (owner_->shares_host_memory()) return {host.data(), host.size()};
    const auto device = scratch(host.size());
    owner_->copy_to_device(device.data, host.data(), device.size * sizeof(T));
    return device;
  }

  /// Where operations write what is meant for `host`; the content is undefined.
  device_span<T> output(std::span<T> host) {
    if (owner_->shares_host_memory()) return {host.data(), host.size()};
    return scratch(host.size());
  }

  /// Brings what was written to `output(host)` to `host`, there after the next `wait()`.
  void download(std::span<T> host) {
    if (owner_->shares_host_memory() || capacity_ < host.size()) return;
    owner_->copy_to_host(host.data(), memory_, host.size() * sizeof(T));
  }

private:
  backend* owner_;
  T* memory_ = nullptr;
  std::size_t capacity_ = 0;
};

} // namespace gradmesh::gpu
