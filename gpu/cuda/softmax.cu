/// Reductions: softmax with cross-entropy, and sums by column. Partial sums go through scratch
/// memory and are added in a fixed order, so that the same input gives the same bits.

#include "gpu/cuda/kernels.hpp"
#include "gpu/cuda/launch.cuh"

#include <cmath>

namespace gradmesh::gpu::cuda {

namespace {

constexpr unsigned row_threads = 256; // of a block that has one wide row
constexpr unsigned warps = 8;         // of a block that has a narrow row a warp
/// Columns a thread of a warp can hold in registers.
constexpr unsigned narrow_items = 16;

/// What a block found out about its rows.
struct partial_metrics {
  double loss;
  std::uint64_t correct;
};

/// A warp has a row and keeps it in registers: each logit is read once and its gradient written
/// once. `Items` times 32 columns at most.
template <unsigned Items>
__global__ void __launch_bounds__(warps* warp_threads)
    narrow_softmax(const std::int32_t* labels, float scale, float* z, std::size_t rows,
                   std::uint32_t columns, partial_metrics* partial) {
  __shared__ partial_metrics found[warps];
  const unsigned warp = threadIdx.x / warp_threads, thread = threadIdx.x % warp_threads;
  const std::size_t row = std::size_t{blockIdx.x} * warps + warp;
  if (thread == 0) found[warp] = {0, 0};
  if (row < rows) {
    float* logits = z + row * columns;
    const auto label = static_cast<std::uint32_t>(labels[row]);
    float value[Items];
    best_logit best{-INFINITY, columns};
    float label_logit = 0;
#pragma unroll
    for (unsigned k = 0; k < Items; ++k) {
      const std::uint32_t j = k * warp_threads + thread;
      value[k] = j < columns ? logits[j] : -INFINITY;
      if (j < columns) best.take({value[k], j});
      if (j == label) label_logit = value[k];
    }
    best = warp_best(best);
    float sum = 0;
#pragma unroll
    for (unsigned k = 0; k < Items; ++k) {
      const std::uint32_t j = k * warp_threads + thread;
      value[k] = j < columns ? expf(value[k] - best.value) : 0;
      sum += value[k];
    }
    sum = warp_sum(sum);
    label_logit = warp_sum(label_logit); // one thread has it, the others 0
    const float factor = scale / sum;
#pragma unroll
    for (unsigned k = 0; k < Items; ++k) {
      const std::uint32_t j = k * warp_threads + thread;
      if (j < columns) logits[j] = value[k] * factor - (j == label ? scale : 0.0F);
    }
    if (thread == 0)
      found[warp] = {log(double{sum}) - double{label_logit - best.value}, best.column == label};
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  partial_metrics total{0, 0};
  for (const auto& f : found) {
    total.loss += f.loss;
    total.correct += f.correct;
  }
  partial[blockIdx.x] = total;
}

/// A block has a row, too wide for registers: one pass finds the largest and the sum together,
/// rescaling the sum as a larger one is met; a second writes the gradient.
__global__ void __launch_bounds__(row_threads)
    wide_softmax(const std::int32_t* labels, float scale, float* z, std::size_t rows,
                 std::uint32_t columns, partial_metrics* partial) {
  __shared__ best_logit best_of[row_threads / warp_threads];
  __shared__ float room[row_threads / warp_threads];
  const std::size_t row = blockIdx.x;
  float* logits = z + row * columns;
  const auto label = static_cast<std::uint32_t>(labels[row]);
  const float label_logit = logits[label];

  best_logit best{-INFINITY, columns};
  float sum = 0;
  bool nan = false;
  for (std::uint32_t j = threadIdx.x; j < columns; j += row_threads) {
    const float value = logits[j];
    nan = nan || isnan(value);
    if (value > best.value) {
      sum = sum * expf(best.value - value) + 1;
      best = {value, j};
    } else if (value > -INFINITY) {
      sum += expf(value - best.value);
    }
  }
  const float own_largest = best.value;
  best = warp_best(best);
  if (threadIdx.x % warp_threads == 0) best_of[threadIdx.x / warp_threads] = best;
  __syncthreads();
  for (const auto& other : best_of)
    best.take(other);
  const float largest = best.value;
  // A thread without a finite logit has nothing to add; inf - inf must not become a NaN for it.
  sum = sum > 0 ? sum * expf(own_largest - largest) : 0;
  sum = block_sum(nan ? NAN : sum, room);

  const float factor = scale / sum;
  for (std::uint32_t j = threadIdx.x; j < columns; j += row_threads)
    logits[j] = expf(logits[j] - largest) * factor - (j == label ? scale : 0.0F);
  if (threadIdx.x == 0)
    partial[row] = {log(double{sum}) - double{label_logit - largest}, best.column == label};
}

__global__ void __launch_bounds__(row_threads)
    add_metrics(const partial_metrics* partial, std::size_t count, batch_metrics* metrics) {
  __shared__ double losses[row_threads / warp_threads];
  __shared__ unsigned long long corrects[row_threads / warp_threads];
  double loss = 0;
  unsigned long long correct = 0;
  for (std::size_t i = threadIdx.x; i < count; i += row_threads) {
    loss += partial[i].loss;
    correct += partial[i].correct;
  }
  loss = block_sum(loss, losses);
  correct = block_sum(correct, corrects);
  if (threadIdx.x == 0) *metrics = {loss, correct};
}

constexpr unsigned tile_columns = warp_threads;
constexpr unsigned tile_rows = 8; // added side by side
constexpr std::size_t row_parts_max = 64;

std::size_t row_parts(std::size_t rows) {
  const std::size_t parts = (rows + 127) / 128;
  return parts < 1 ? 1 : parts < row_parts_max ? parts : row_parts_max;
}

/// Sums of a part of the rows, for 32 columns.
__global__ void __launch_bounds__(tile_columns* tile_rows)
    sum_part(const float* x, std::size_t rows, std::size_t columns, std::size_t part_rows,
             float* sums) {
  __shared__ float room[tile_rows][tile_columns];
  const std::size_t j = std::size_t{blockIdx.x} * tile_columns + threadIdx.x;
  const std::size_t first = blockIdx.y * part_rows;
  const std::size_t end = first + part_rows < rows ? first + part_rows : rows;
  float sum = 0;
  if (j < columns)
    for (std::size_t i = first + threadIdx.y; i < end; i += tile_rows)
      sum += x[i * columns + j];
  room[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || j >= columns) return;
  for (unsigned k = 1; k < tile_rows; ++k)
    sum += room[k][threadIdx.x];
  sums[blockIdx.y * columns + j] = sum;
}

__global__ void __launch_bounds__(row_threads)
    add_parts(const float* sums, std::size_t parts, std::size_t columns, float* out) {
  const std::size_t j = std::size_t{blockIdx.x} * row_threads + threadIdx.x;
  if (j >= columns) return;
  float sum = 0;
  for (std::size_t part = 0; part < parts; ++part)
    sum += sums[part * columns + j];
  out[j] = sum;
}

} // namespace

std::size_t softmax_scratch(std::size_t rows) {
  return rows * sizeof(partial_metrics);
}

cudaError_t softmax_cross_entropy(cudaStream_t stream, device_span<const std::int32_t> labels,
                                  float scale, device_matrix<float> z, batch_metrics* metrics,
                                  void* scratch) {
  auto* partial = static_cast<partial_metrics*>(scratch);
  const auto columns = static_cast<std::uint32_t>(z.columns);
  const auto blocks = static_cast<unsigned>((z.rows + warps - 1) / warps);
  const auto narrow = [&](auto kernel) {
    kernel<<<blocks, warps * warp_threads, 0, stream>>>(labels.data, scale, z.data, z.rows, columns,
                                                        partial);
    return std::size_t{blocks};
  };
  std::size_t parts = 0;
  if (z.rows > 0) {
    if (columns <= warp_threads)
      parts = narrow(narrow_softmax<1>);
    else if (columns <= 4 * warp_threads)
      parts = narrow(narrow_softmax<4>);
    else if (columns <= narrow_items * warp_threads)
      parts = narrow(narrow_softmax<narrow_items>);
    else {
      wide_softmax<<<static_cast<unsigned>(z.rows), row_threads, 0, stream>>>(
          labels.data, scale, z.data, z.rows, columns, partial);
      parts = z.rows;
    }
    if (const auto launched = cudaGetLastError(); launched != cudaSuccess) return launched;
  }
  add_metrics<<<1, row_threads, 0, stream>>>(partial, parts, metrics);
  return cudaGetLastError();
}

std::size_t sum_rows_scratch(std::size_t rows, std::size_t columns) {
  return row_parts(rows) * columns * sizeof(float);
}

cudaError_t sum_rows(cudaStream_t stream, device_matrix<const float> x, device_span<float> out,
                     void* scratch) {
  const auto parts = row_parts(x.rows);
  const auto part_rows = (x.rows + parts - 1) / parts;
  auto* sums = parts == 1 ? out.data : static_cast<float*>(scratch);
  const dim3 grid(static_cast<unsigned>((x.columns + tile_columns - 1) / tile_columns),
                  static_cast<unsigned>(parts));
  sum_part<<<grid, dim3(tile_columns, tile_rows), 0, stream>>>(x.data, x.rows, x.columns, part_rows,
                                                               sums);
  if (const auto launched = cudaGetLastError(); launched != cudaSuccess || parts == 1)
    return launched;
  add_parts<<<static_cast<unsigned>((x.columns + row_threads - 1) / row_threads), row_threads, 0,
              stream>>>(sums, parts, x.columns, out.data);
  return cudaGetLastError();
}

} // namespace gradmesh::gpu::cuda
