/// Sparse products and rows. Both products are the same kernel: each row of the result is a sum of
/// weighted rows. For the transposed product the entries are first sorted by column, stably, so
/// that a result's terms are in the order of the batch whatever the device does.

#include "gpu/cuda/kernels.hpp"
#include "gpu/cuda/launch.cuh"

#include <cub/device/device_radix_sort.cuh>

#include <bit>

namespace gradmesh::gpu::cuda {

namespace {

constexpr unsigned threads = 256;
constexpr unsigned entry_threads = 8; // rows that are added side by side

__global__ void __launch_bounds__(threads)
    copy_rows(const float* from, float* to, const std::uint32_t* rows, std::size_t count,
              std::size_t columns, bool gather) {
  const std::size_t stride = std::size_t{gridDim.x} * threads;
  for (std::size_t i = std::size_t{blockIdx.x} * threads + threadIdx.x; i < count * columns;
       i += stride) {
    const std::size_t row = i / columns, j = i % columns;
    const std::size_t elsewhere = rows[row] * columns + j;
    if (gather)
      to[i] = from[elsewhere];
    else
      to[elsewhere] = from[i];
  }
}

/// Entries of a sparse matrix as they lie.
struct entries_by_row {
  const std::uint32_t* columns;
  const float* values;

  __device__ std::uint32_t row(std::size_t e) const { return columns[e]; }
  __device__ float factor(std::size_t e) const { return values[e]; }
};

/// Entries in the order of their columns.
struct entries_by_column {
  const std::uint32_t* order;
  const std::uint32_t* row_of;
  const float* values;

  __device__ std::uint32_t row(std::size_t e) const { return row_of[order[e]]; }
  __device__ float factor(std::size_t e) const { return values[order[e]]; }
};

/// out[s] = sum over entries e in [offsets[s], offsets[s + 1]) less `first` of factor(e) x[row(e)];
/// or adds that to out[s]. A block has a row of the result.
template <class Entries>
__global__ void __launch_bounds__(warp_threads* entry_threads)
    sum_weighted_rows(const std::uint32_t* offsets, std::uint32_t first, Entries entries,
                      const float* x, std::size_t columns, float* out, bool add) {
  __shared__ float room[entry_threads][warp_threads];
  const std::size_t begin = offsets[blockIdx.x] - first, end = offsets[blockIdx.x + 1] - first;
  float* result = out + blockIdx.x * columns;
  for (std::size_t from = 0; from < columns; from += warp_threads) {
    const std::size_t j = from + threadIdx.x;
    float sum = 0;
    if (j < columns)
#pragma unroll 4
      for (std::size_t e = begin + threadIdx.y; e < end; e += entry_threads)
        sum += entries.factor(e) * x[entries.row(e) * columns + j];
    room[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && j < columns) {
      for (unsigned k = 1; k < entry_threads; ++k)
        sum += room[k][threadIdx.x];
      result[j] = add ? result[j] + sum : sum;
    }
    __syncthreads();
  }
}

/// row_of[e] and position[e] = e for all entries; a warp has a row.
__global__ void __launch_bounds__(threads)
    number_entries(const std::uint32_t* offsets, std::uint32_t first, std::size_t rows,
                   std::uint32_t* row_of, std::uint32_t* position) {
  const std::size_t warps = std::size_t{gridDim.x} * threads / warp_threads;
  for (std::size_t row = (std::size_t{blockIdx.x} * threads + threadIdx.x) / warp_threads;
       row < rows; row += warps)
    for (std::size_t e = offsets[row] - first + threadIdx.x % warp_threads;
         e < offsets[row + 1] - first; e += warp_threads) {
      row_of[e] = static_cast<std::uint32_t>(row);
      position[e] = static_cast<std::uint32_t>(e);
    }
}

/// starts[c] = the first of the sorted columns that is not below c, for c up to `columns`
/// inclusive.
__global__ void __launch_bounds__(threads)
    find_starts(const std::uint32_t* sorted, std::size_t entries, std::size_t columns,
                std::uint32_t* starts) {
  const std::size_t stride = std::size_t{gridDim.x} * threads;
  for (std::size_t c = std::size_t{blockIdx.x} * threads + threadIdx.x; c <= columns; c += stride) {
    std::size_t low = 0, high = entries;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (sorted[middle] < c)
        low = middle + 1;
      else
        high = middle;
    }
    starts[c] = static_cast<std::uint32_t>(low);
  }
}

/// Scratch of the transposed product, one array behind the other.
struct transpose_room {
  std::uint32_t *row_of, *position, *sorted, *order, *starts;
  std::byte* sort;
  std::size_t bytes_before_sort;

  transpose_room(void* scratch, std::size_t entries, std::size_t columns) {
    constexpr std::size_t alignment = 256;
    std::size_t at = 0;
    const auto place = [&](std::size_t count) {
      auto* array = reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(scratch) + at);
      at += (count * sizeof(std::uint32_t) + alignment - 1) / alignment * alignment;
      return array;
    };
    row_of = place(entries);
    position = place(entries);
    sorted = place(entries);
    order = place(entries);
    starts = place(columns + 1);
    sort = static_cast<std::byte*>(scratch) + at;
    bytes_before_sort = at;
  }
};

cudaError_t sort_entries(cudaStream_t stream, const std::uint32_t* columns, std::size_t entries,
                         std::size_t columns_end, const transpose_room& room, void* temporary,
                         std::size_t& temporary_bytes) {
  const int bits = std::bit_width(columns_end);
  return cub::DeviceRadixSort::SortPairs(temporary, temporary_bytes, columns, room.sorted,
                                         room.position, room.order, static_cast<int>(entries), 0,
                                         bits < 32 ? bits : 32, stream);
}

} // namespace

cudaError_t gather_rows(cudaStream_t stream, device_matrix<const float> table,
                        device_span<const std::uint32_t> rows, device_matrix<float> out) {
  copy_rows<<<blocks_for(out.size(), threads), threads, 0, stream>>>(
      table.data, out.data, rows.data, rows.size, out.columns, true);
  return cudaGetLastError();
}

cudaError_t scatter_rows(cudaStream_t stream, device_matrix<const float> x,
                         device_span<const std::uint32_t> rows, device_matrix<float> table) {
  copy_rows<<<blocks_for(x.size(), threads), threads, 0, stream>>>(x.data, table.data, rows.data,
                                                                   rows.size, x.columns, false);
  return cudaGetLastError();
}

cudaError_t multiply_sparse(cudaStream_t stream, const csr_matrix& a, device_matrix<const float> w,
                            device_matrix<float> out) {
  sum_weighted_rows<<<static_cast<unsigned>(out.rows), dim3(warp_threads, entry_threads), 0,
                      stream>>>(a.offsets.data, a.first_offset,
                                entries_by_row{a.columns.data, a.values.data}, w.data, out.columns,
                                out.data, false);
  return cudaGetLastError();
}

cudaError_t transpose_scratch(std::size_t entries, std::size_t columns, std::size_t& bytes) {
  const transpose_room room(nullptr, entries, columns);
  std::size_t sort_bytes = 0;
  const auto asked = sort_entries(nullptr, nullptr, entries, columns, room, nullptr, sort_bytes);
  bytes = room.bytes_before_sort + sort_bytes;
  return asked;
}

cudaError_t add_sparse_transposed(cudaStream_t stream, const csr_matrix& a,
                                  device_matrix<const float> d, device_matrix<float> out,
                                  void* scratch, std::size_t scratch_bytes) {
  const auto entries = a.columns.size;
  const transpose_room room(scratch, entries, out.rows);
  number_entries<<<blocks_for(d.rows, threads / warp_threads), threads, 0, stream>>>(
      a.offsets.data, a.first_offset, d.rows, room.row_of, room.position);
  if (const auto launched = cudaGetLastError(); launched != cudaSuccess) return launched;

  std::size_t sort_bytes = scratch_bytes - room.bytes_before_sort;
  const auto sorted =
      sort_entries(stream, a.columns.data, entries, out.rows, room, room.sort, sort_bytes);
  if (sorted != cudaSuccess) return sorted;

  find_starts<<<blocks_for(out.rows + 1, threads), threads, 0, stream>>>(room.sorted, entries,
                                                                         out.rows, room.starts);
  if (const auto launched = cudaGetLastError(); launched != cudaSuccess) return launched;

  sum_weighted_rows<<<static_cast<unsigned>(out.rows), dim3(warp_threads, entry_threads), 0,
                      stream>>>(room.starts, 0,
                                entries_by_column{room.order, room.row_of, a.values.data}, d.data,
                                out.columns, out.data, true);
  return cudaGetLastError();
}

} // namespace gradmesh::gpu::cuda
