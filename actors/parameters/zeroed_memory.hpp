#pragma once

/// Memory that begins as zeros and is 64-byte aligned. From 2 MiB on it takes room only where it
/// was touched, and is asked to lie in huge pages: a random access then costs no walk through the
/// page table, and a stream is not interrupted at every small page.

#include <cstddef>
#include <memory>

namespace gradmesh::parameters {

class zeroed_memory {
public:
  zeroed_memory() = default;
  /// Throws `std::bad_alloc`, as all memory does.
  explicit zeroed_memory(std::size_t bytes);

  template <class T>
  T* as() const {
    return static_cast<T*>(start_.get());
  }

private:
  struct release {
    release() : mapped(nullptr), bytes(0) {}
    release(void* first, std::size_t count) : mapped(first), bytes(count) {}
    void operator()(void* start) const;

    void* mapped; // null if `start` comes from operator new
    std::size_t bytes;
  };
  std::unique_ptr<void, release> start_;
};

} // namespace gradmesh::parameters
