#pragma once

/// What the kernels share: sizes of launches, and sums over a warp or block in a fixed order.

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace gradmesh::gpu::cuda {

constexpr unsigned warp_threads = 32;
constexpr unsigned whole_warp = 0xffffffffU;
/// Enough blocks to fill any device of today; what is left over is looped over.
constexpr std::size_t blocks_max = 132 * 16;

inline unsigned blocks_for(std::size_t items, std::size_t per_block) {
  const std::size_t wanted = (items + per_block - 1) / per_block;
  return static_cast<unsigned>(wanted < blocks_max ? wanted : blocks_max);
}

template <class T>
__device__ T warp_sum(T value) {
  for (unsigned other = warp_threads / 2; other > 0; other /= 2)
    value += __shfl_xor_sync(whole_warp, value, other);
  return value;
}

/// In all threads; `room` has a T for each warp. Every thread of the block calls it.
template <class T>
__device__ T block_sum(T value, T* room) {
  value = warp_sum(value);
  __syncthreads(); // `room` may still be read from the call before
  if (threadIdx.x % warp_threads == 0) room[threadIdx.x / warp_threads] = value;
  __syncthreads();
  T total = 0;
  for (unsigned warp = 0; warp < blockDim.x / warp_threads; ++warp)
    total += room[warp];
  return total;
}

/// A logit and its column; of equal ones the first counts.
struct best_logit {
  float value;
  std::uint32_t column;

  __device__ void take(const best_logit& other) {
    if (other.value > value || (other.value == value && other.column < column)) *this = other;
  }
};

__device__ inline best_logit warp_best(best_logit best) {
  for (unsigned other = warp_threads / 2; other > 0; other /= 2)
    best.take({__shfl_xor_sync(whole_warp, best.value, other),
               __shfl_xor_sync(whole_warp, best.column, other)});
  return best;
}

} // namespace gradmesh::gpu::cuda
