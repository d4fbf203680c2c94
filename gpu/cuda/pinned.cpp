#include "gpu/cuda/pinned.hpp"

#include <cuda_runtime_api.h>

namespace gradmesh::gpu::cuda {

std::shared_ptr<pinned_memory> make_pinned_memory(int device, std::size_t bytes_max) {
  const auto take = [device](std::size_t bytes) -> void* {
    void* memory = nullptr;
    // Portable: also for a backend that is opened on another device, or afresh.
    if (cudaSetDevice(device) != cudaSuccess ||
        cudaHostAlloc(&memory, bytes, cudaHostAllocPortable) != cudaSuccess) {
      (void)cudaGetLastError(); // the next call is not to report it again
      return nullptr;
    }
    return memory;
  };
  // On a device that is lost this fails, and the process keeps the memory; whoever had it may go on
  // to use it.
  return std::make_shared<pinned_memory>(
      memory_pool::source{take, [](void* memory) { (void)cudaFreeHost(memory); }}, bytes_max);
}

} // namespace gradmesh::gpu::cuda
