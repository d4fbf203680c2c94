#pragma once

/// The compute backend on a CUDA device: three streams (copies in, kernels and cuBLAS, copies out),
/// pools of device and pinned memory, and nothing that waits but `wait()` and copies of more
/// pageable memory than the staging memory holds. In a build without CUDA the functions are there
/// and say so.
///
/// Failure: as in backend.hpp. The texts name the call, its file and line, and CUDA's own words.
///
/// Same bits: sums are taken in an order that follows from the shapes alone, never by atomic
/// additions, and cuBLAS works on one stream with a workspace of ours. Bits differ from the CPU's.
///
/// Any number of backends may share a device. The thread that uses one must not have changed the
/// current CUDA device meanwhile to something else than what this backend sets: each call sets it.

#include "gpu/backend.hpp"

#include <limits>
#include <memory>
#include <vector>

namespace gradmesh::gpu {

struct device_info {
  int number = 0; // N of cuda:N
  std::string name;
  std::size_t memory_bytes = 0;
};

struct device_list {
  std::vector<device_info> devices;
  fault why; // there are none, or they cannot be used
};

/// What is there now. A driver older than the toolkit of the build is told apart from none.
device_list cuda_devices();

struct cuda_options {
  int device = 0;
  product_precision precision = product_precision::float32;
  /// The most device memory that this backend takes; never more than is free when it is opened.
  std::size_t memory_bytes_max = std::numeric_limits<std::size_t>::max();
  /// Whether copies run beside computations; false is for measuring what that brings.
  bool overlap = true;
  /// The most pinned memory, of its own and of `make_pinned` each; staging has 64 MiB besides.
  std::size_t pinned_bytes_max = std::size_t{4} << 30;
};

struct cuda_made {
  std::unique_ptr<backend> made; // null: see why
  fault why;
};

/// Opens a device and tries it. Takes a good part of a second.
cuda_made make_cuda_backend(const cuda_options& options);

} // namespace gradmesh::gpu
