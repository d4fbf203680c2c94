#pragma once

/// Where the entries of sparse batches stand, kept on a device for batches that come again: an
/// evaluation goes through the same ones each time (GeePS' prebuilt index paths: Cui et al.,
/// EuroSys 2016).
///
/// Told by the 64-bit XXH3 of their content and its size: of n batches two are mistaken for each
/// other with a chance below n^2 / 2^65. Limit: bytes of device memory; what was not used for
/// longest gives its memory to the next. Used by one thread.

#include "gpu/buffer.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <span>

namespace gradmesh::learning {

class index_cache {
public:
  index_cache(gpu::backend& backend, std::size_t bytes_max)
      : backend_(backend), bytes_max_(bytes_max) {}

  struct path {
    gpu::device_span<const std::uint32_t> offsets; // of rows, into columns
    gpu::device_span<const std::uint32_t> columns;
  };
  /// Copied to the device if it is not there. Good for what is enqueued before the next call.
  path find(std::span<const std::uint32_t> offsets, std::span<const std::uint32_t> columns);

  /// From now on.
  void limit(std::size_t bytes_max) { bytes_max_ = bytes_max; }
  std::uint64_t hits() const { return hits_; }

private:
  struct name {
    std::uint64_t hash = 0;
    std::uint64_t rows = 0;
    std::uint64_t entries = 0;
    auto operator<=>(const name&) const = default;
  };
  struct kept {
    explicit kept(gpu::backend& b) : offsets(b), columns(b) {}

    name of;
    std::size_t bytes = 0; // of what it has held at most
    gpu::buffer<std::uint32_t> offsets, columns;
  };

  /// Memory for a batch that is not there, in front of the list.
  kept& make_room(const name& of);

  gpu::backend& backend_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::list<kept> kept_; // the one used last in front
  std::map<name, std::list<kept>::iterator> by_name_;
};

} // namespace gradmesh::learning
