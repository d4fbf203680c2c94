#pragma once

/// Large memory that begins as zeros, is 64-byte aligned at least and takes room only where it was
/// touched. From 2 MiB on it is asked to lie in huge pages: a random access then costs no walk
/// through the page table.

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
  struct unmap {
    unmap() : mapped(nullptr), bytes(0) {}
    unmap(void* first, std::size_t count) : mapped(first), bytes(count) {}
    void operator()(void*) const;

    void* mapped;
    std::size_t bytes;
  };
  std::unique_ptr<void, unmap> start_;
};

} // namespace gradmesh::parameters
