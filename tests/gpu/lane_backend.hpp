#pragma once

/// A device without a device: three lanes whose work is done by the CPU backend, but only when
/// somebody waits, and then in an order drawn by chance that keeps nothing but the order within
/// each lane and what `lane_order` said had to be awaited. Whatever relies on more comes out wrong.

#include "gpu/backend.hpp"

#include <cstdint>
#include <limits>
#include <memory>

namespace gradmesh::gpu {

struct lane_backend_options {
  std::uint64_t seed = 1;
  /// The device is lost after so much work.
  std::uint64_t items_max = std::numeric_limits<std::uint64_t>::max();
  /// Otherwise only `wait()` does any work: to whoever only looks, the device hangs.
  bool idle_works = true;
  std::size_t memory_bytes_max = std::size_t{1} << 30;
  /// What it copied is added here when it goes; may be null.
  std::shared_ptr<copy_use> copies{};
  /// The most calls of `when_done` that waited at once; may be null.
  std::shared_ptr<std::size_t> calls_waiting_max{};
};

/// Its `idle()` does a few things more each time it is asked, so that it comes to an end.
std::unique_ptr<backend> make_lane_backend(const lane_backend_options& options);

} // namespace gradmesh::gpu
