#pragma once

/// The kernels, as functions that enqueue them on a stream. Pointers are to device memory; what
/// they compute stands in backend.hpp, and the CPU twin of each is in cpu_backend.cpp. Returns what
/// CUDA says of the launch. Sizes are not 0 unless said.

#include "gpu/backend.hpp"

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace gradmesh::gpu::cuda {

// elementwise.cu
cudaError_t add_bias(cudaStream_t stream, device_span<const float> bias, activation f,
                     device_matrix<float> x);
cudaError_t relu_backward(cudaStream_t stream, device_span<const float> activated,
                          device_span<float> gradient);
cudaError_t add_scaled(cudaStream_t stream, float alpha, device_span<const float> x,
                       device_span<float> y);
cudaError_t scale(cudaStream_t stream, float alpha, device_span<float> x);
cudaError_t fill(cudaStream_t stream, float value, device_span<float> x);
cudaError_t update_momentum(cudaStream_t stream, float rate, float mu, device_span<const float> g,
                            device_span<float> w, device_span<float> v);
cudaError_t update_adam(cudaStream_t stream, float rate, const adam_factors& factors,
                        float mean_scale, float square_scale, device_span<const float> g,
                        device_span<float> w, device_span<float> mean, device_span<float> square);

// softmax.cu
/// Bytes of scratch that `softmax_cross_entropy` needs.
std::size_t softmax_scratch(std::size_t rows);
/// No rows: the metrics are zero.
cudaError_t softmax_cross_entropy(cudaStream_t stream, device_span<const std::int32_t> labels,
                                  float scale, device_matrix<float> z, batch_metrics* metrics,
                                  void* scratch);
/// Bytes of scratch that `sum_rows` needs.
std::size_t sum_rows_scratch(std::size_t rows, std::size_t columns);
/// No rows: zeros.
cudaError_t sum_rows(cudaStream_t stream, device_matrix<const float> x, device_span<float> out,
                     void* scratch);

// sparse.cu
cudaError_t gather_rows(cudaStream_t stream, device_matrix<const float> table,
                        device_span<const std::uint32_t> rows, device_matrix<float> out);
cudaError_t scatter_rows(cudaStream_t stream, device_matrix<const float> x,
                         device_span<const std::uint32_t> rows, device_matrix<float> table);
cudaError_t multiply_sparse(cudaStream_t stream, const csr_matrix& a, device_matrix<const float> w,
                            device_matrix<float> out);
/// Bytes of scratch that `add_sparse_transposed` needs; asks CUB, hence the error.
cudaError_t transpose_scratch(std::size_t entries, std::size_t columns, std::size_t& bytes);
cudaError_t add_sparse_transposed(cudaStream_t stream, const csr_matrix& a,
                                  device_matrix<const float> d, device_matrix<float> out,
                                  void* scratch, std::size_t scratch_bytes);

} // namespace gradmesh::gpu::cuda
