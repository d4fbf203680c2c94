#pragma once

/// Places in a ring of bytes that are taken and freed in the same order: what a staging buffer
/// between pageable memory and a device is made of. Only the arithmetic; the memory is its owner's.

#include <cstddef>
#include <deque>
#include <optional>

namespace gradmesh::gpu {

class byte_ring {
public:
  explicit byte_ring(std::size_t capacity) : capacity_(capacity) {}

  /// Where `bytes` (at least 1) lie without a gap. Empty: free the oldest place first, or, in an
  /// empty ring, take less.
  std::optional<std::size_t> take(std::size_t bytes) {
    if (taken_.empty()) return bytes <= capacity_ ? place(0, bytes) : std::nullopt;
    const auto tail = taken_.front();
    if (head_ > tail) {
      if (bytes <= capacity_ - head_) return place(head_, bytes);
      // Never up to the tail: a full ring would look like an empty one.
      return bytes < tail ? place(0, bytes) : std::nullopt;
    }
    return bytes < tail - head_ ? place(head_, bytes) : std::nullopt;
  }

  /// Frees the place that was taken first.
  void free_oldest() { taken_.pop_front(); }
  std::size_t places() const { return taken_.size(); }

private:
  std::optional<std::size_t> place(std::size_t at, std::size_t bytes) {
    taken_.push_back(at);
    head_ = at + bytes;
    return at;
  }

  std::size_t capacity_;
  std::size_t head_ = 0;          // behind the latest place
  std::deque<std::size_t> taken_; // offsets, oldest first
};

} // namespace gradmesh::gpu
