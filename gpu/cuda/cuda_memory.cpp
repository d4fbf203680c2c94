#include "gpu/cuda/cuda_backend_class.hpp"

namespace gradmesh::gpu {

memory_pool::source cuda_backend::device_source() {
  const auto take = [this](std::size_t bytes) -> void* {
    void* memory = nullptr;
    call([&]() -> fault {
      auto why = GRADMESH_CUDA(cudaMalloc(&memory, bytes));
      // The pool tries again when it has given back what it can, and then `allocate` speaks.
      return why.kind == fault_kind::out_of_memory ? fault{} : why;
    });
    if (memory) order().add(memory, bytes);
    return memory;
  };
  return {take, [this](void* memory) {
            order().remove(memory);
            (void)cudaSetDevice(options_.device);
            (void)streams_.synchronize(); // the device may still use it
            (void)cudaFree(memory);
          }};
}

memory_pool::source cuda_backend::pinned_source() {
  const auto take = [this](std::size_t bytes) -> void* {
    void* memory = nullptr;
    call([&]() -> fault {
      auto why = GRADMESH_CUDA(cudaMallocHost(&memory, bytes));
      return why.kind == fault_kind::out_of_memory ? fault{} : why;
    });
    if (memory) order().add(memory, bytes);
    return memory;
  };
  return {take, [this](void* memory) {
            order().remove(memory);
            (void)streams_.synchronize();
            (void)cudaFreeHost(memory);
          }};
}

void* cuda_backend::allocate_from(memory_pool& pool, const char* kind, const char* bound,
                                  std::size_t bytes) {
  if (failed()) return nullptr;
  void* memory = pool.allocate(bytes);
  if (!memory && !failed()) {
    const auto& use = pool.use();
    fail(fault_kind::out_of_memory,
         name_ + ": no " + kind + " memory for a buffer of " + std::to_string(bytes) + " bytes: " +
             std::to_string(use.in_use) + " are in use, at most " + std::to_string(use.limit) +
             " are allowed, and " + bound + " has no more; use a smaller batch or model");
  }
  return memory;
}

void* cuda_backend::scratch(scratch_use use, std::size_t bytes) {
  auto& block = scratch_[use];
  if (block.bytes >= bytes) return block.memory;
  release(block.memory);
  block.memory = allocate(bytes);
  block.bytes = block.memory ? bytes : 0;
  if (!block.memory) return nullptr;
  // A copy may still have to do with what was here before.
  const auto waits = order().also_writes(lane::compute, block.memory);
  for (std::size_t other = 0; other < lanes; ++other)
    if (waits[other] > 0) do_await(lane::compute, static_cast<lane>(other), waits[other]);
  return block.memory;
}

void cuda_backend::do_copy_to_device(void* to, const void* host_from, std::size_t bytes,
                                     bool detour) {
  const auto queue = stream(lane::copy_in);
  call([&] {
    return detour ? staging_in_.copy_in(queue, to, host_from, bytes)
                  : GRADMESH_CUDA(
                        cudaMemcpyAsync(to, host_from, bytes, cudaMemcpyHostToDevice, queue));
  });
}

void cuda_backend::do_copy_to_host(void* host_to, const void* from, std::size_t bytes,
                                   bool detour) {
  const auto queue = stream(lane::copy_out);
  call([&] {
    return detour ? staging_out_.copy_out(queue, host_to, from, bytes)
                  : GRADMESH_CUDA(
                        cudaMemcpyAsync(host_to, from, bytes, cudaMemcpyDeviceToHost, queue));
  });
}

} // namespace gradmesh::gpu
