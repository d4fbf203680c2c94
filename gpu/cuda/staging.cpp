#include "gpu/cuda/staging.hpp"

#include "gpu/cuda/cuda_fault.hpp"

#include <algorithm>
#include <cstring>

namespace gradmesh::gpu::cuda {

namespace {

/// Long enough for the full rate of a bus, short enough to begin soon.
constexpr std::size_t chunk_bytes_max = std::size_t{2} << 20;
/// Keeps the parts of a transfer apart in lines of the bus.
constexpr std::size_t alignment = 256;

} // namespace

staging::~staging() {
  for (auto& c : chunks_)
    (void)cudaEventDestroy(c.done);
  for (auto event : spare_events_)
    (void)cudaEventDestroy(event);
  if (memory_) (void)cudaFreeHost(memory_);
}

fault staging::open() {
  void* memory = nullptr;
  if (auto why = GRADMESH_CUDA(cudaMallocHost(&memory, bytes_))) return why;
  memory_ = static_cast<std::byte*>(memory);
  return {};
}

fault staging::take(std::size_t bytes, chunk& out) {
  const auto rounded = (bytes + alignment - 1) / alignment * alignment;
  auto at = ring_.take(rounded);
  while (!at) {
    if (auto why = finish_oldest()) return why;
    at = ring_.take(rounded);
  }
  out.staged = memory_ + *at;
  out.bytes = bytes;
  if (spare_events_.empty())
    return GRADMESH_CUDA(cudaEventCreateWithFlags(&out.done, cudaEventDisableTiming));
  out.done = spare_events_.back();
  spare_events_.pop_back();
  return {};
}

fault staging::copy_in(cudaStream_t stream, void* to, const void* host_from, std::size_t bytes) {
  auto* device = static_cast<std::byte*>(to);
  const auto* host = static_cast<const std::byte*>(host_from);
  for (std::size_t at = 0; at < bytes; at += chunk_bytes_max) {
    chunk c;
    if (auto why = take(std::min(chunk_bytes_max, bytes - at), c)) return why;
    chunks_.push_back(c);
    std::memcpy(c.staged, host + at, c.bytes);
    if (auto why = GRADMESH_CUDA(
            cudaMemcpyAsync(device + at, c.staged, c.bytes, cudaMemcpyHostToDevice, stream)))
      return why;
    if (auto why = GRADMESH_CUDA(cudaEventRecord(c.done, stream))) return why;
  }
  return {};
}

fault staging::copy_out(cudaStream_t stream, void* host_to, const void* from, std::size_t bytes) {
  auto* host = static_cast<std::byte*>(host_to);
  const auto* device = static_cast<const std::byte*>(from);
  for (std::size_t at = 0; at < bytes; at += chunk_bytes_max) {
    chunk c;
    if (auto why = take(std::min(chunk_bytes_max, bytes - at), c)) return why;
    c.host_to = host + at;
    chunks_.push_back(c);
    if (auto why = GRADMESH_CUDA(
            cudaMemcpyAsync(c.staged, device + at, c.bytes, cudaMemcpyDeviceToHost, stream)))
      return why;
    if (auto why = GRADMESH_CUDA(cudaEventRecord(c.done, stream))) return why;
  }
  return {};
}

fault staging::finish() {
  while (!chunks_.empty())
    if (auto why = finish_oldest()) return why;
  return {};
}

fault staging::finish_oldest() {
  auto& c = chunks_.front();
  if (auto why = GRADMESH_CUDA(cudaEventSynchronize(c.done))) return why;
  if (c.host_to) std::memcpy(c.host_to, c.staged, c.bytes);
  spare_events_.push_back(c.done);
  chunks_.pop_front();
  ring_.free_oldest();
  return {};
}

} // namespace gradmesh::gpu::cuda
