#pragma once

/// A device's copy of a range of the dense parameters, which is brought up to date by copying what
/// differs (GeePS' parameter cache: Cui et al., EuroSys 2016). A block of values is told by its
/// version; one that the copy has already is not copied again, whether it came with an earlier step
/// or ahead of this one.
///
/// Where the backend shares host memory nothing is copied or kept. Used by one thread.

#include "actors/learning/table.hpp"
#include "gpu/buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

namespace gradmesh::learning {

class device_parameters {
public:
  /// For elements [first, first + size) of the dense space.
  device_parameters(gpu::backend& backend, std::size_t first, std::size_t size)
      : backend_(&backend), first_(first), size_(size), memory_(backend) {}

  /// The range as it is on the host, where `dense` is the whole space and `versions`, ascending and
  /// apart, name blocks of it; what no version names is copied.
  gpu::device_span<const float> upload(std::span<const float> dense,
                                       std::span<const dense_version> versions);

  /// Copies blocks that a later `upload` will find here. Those without a version it leaves alone.
  void upload_ahead(std::span<const float> dense, std::span<const dense_version> versions);

private:
  struct block {
    std::uint64_t last = 0;
    std::uint64_t version = 0;
    bool came_ahead = false;
  };
  /// Elements of the dense space that are to be copied, and have not been yet.
  struct run {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };

  /// The part of a block that lies in this range.
  dense_version clip(const dense_version& v) const;
  /// Whether the copy has a block, which it is taken to have from now on.
  bool note(const dense_version& v, bool ahead);
  void add(run& to, std::uint64_t first, std::uint64_t last, std::span<const float> dense);
  void copy(const run& what, std::span<const float> dense);

  gpu::backend* backend_;
  std::uint64_t first_;
  std::size_t size_;
  gpu::buffer<float> memory_;
  std::map<std::uint64_t, block> blocks_; // by first element: what the memory holds
};

} // namespace gradmesh::learning
