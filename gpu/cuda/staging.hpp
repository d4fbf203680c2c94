#pragma once

/// Copies between pageable host memory and a device, by way of a ring of pinned memory: chunk by
/// chunk, so that the processor fills one chunk while the device fetches another. Bounded: where
/// the ring is full, the next copy waits for the oldest.
///
/// What comes from the device is at its place only after `finish`.

#include "gpu/byte_ring.hpp"
#include "gpu/fault.hpp"

#include <cuda_runtime_api.h>

#include <cstddef>
#include <deque>
#include <vector>

namespace gradmesh::gpu::cuda {

class staging {
public:
  explicit staging(std::size_t bytes) : bytes_(bytes), ring_(bytes) {}
  staging(const staging&) = delete;
  staging& operator=(const staging&) = delete;
  ~staging();

  fault open();
  fault copy_in(cudaStream_t stream, void* to, const void* host_from, std::size_t bytes);
  fault copy_out(cudaStream_t stream, void* host_to, const void* from, std::size_t bytes);
  /// Waits for all copies and brings to their places what came.
  fault finish();

private:
  struct chunk {
    std::byte* staged = nullptr;
    std::size_t bytes = 0;
    std::byte* host_to = nullptr; // null: on its way to the device
    cudaEvent_t done = nullptr;
  };

  fault take(std::size_t bytes, chunk& out);
  fault finish_oldest();

  std::size_t bytes_;
  std::byte* memory_ = nullptr;
  byte_ring ring_;
  std::deque<chunk> chunks_; // under way, oldest first
  std::vector<cudaEvent_t> spare_events_;
};

} // namespace gradmesh::gpu::cuda
