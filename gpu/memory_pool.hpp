#pragma once

/// Blocks of a kind of memory that is slow to get (of a device, pinned), kept for use again. Once
/// each size that a model needs has been asked for, nothing is taken from the source any more.
///
/// Failure: null beyond the limit, or where the source has no more; free blocks of other sizes are
/// given back first. One thread uses a pool at a time.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>

namespace gradmesh::gpu {

struct memory_use {
  std::size_t held = 0; // bytes taken from the source, in use or not
  std::size_t in_use = 0;
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  std::uint64_t allocations = 0; // how often the source was asked
};

class memory_pool {
public:
  struct source {
    std::function<void*(std::size_t)> take; // null where there is no more
    std::function<void(void*)> give_back;
  };

  memory_pool(source from, std::size_t bytes_max);
  memory_pool(const memory_pool&) = delete;
  memory_pool& operator=(const memory_pool&) = delete;
  /// Gives everything back, also what is in use.
  ~memory_pool();

  /// The size of the block that so many bytes take: an eighth of a power of two or a multiple of
  /// it, at least 512, so that sizes which change a little from step to step are the same here.
  static std::size_t block_bytes(std::size_t bytes);

  void* allocate(std::size_t bytes);
  /// Accepts null.
  void release(void* memory);
  /// Gives back what is not in use.
  void trim();
  /// Whether this address lies in a block that is in use.
  bool holds(const void* memory) const;
  const memory_use& use() const { return use_; }

private:
  void* reuse(std::size_t bytes);
  void* take(std::size_t bytes);

  source from_;
  memory_use use_;
  std::map<void*, std::size_t> used_;
  std::multimap<std::size_t, void*> free_;
};

} // namespace gradmesh::gpu
