#include "gpu/cuda/cuda_backend_class.hpp"

namespace gradmesh::gpu {
namespace {

cublasComputeType_t compute_type(product_precision precision) {
  switch (precision) {
  case product_precision::tf32:
    return CUBLAS_COMPUTE_32F_FAST_TF32;
  case product_precision::bfloat16:
    return CUBLAS_COMPUTE_32F_FAST_16BF;
  default:
    return CUBLAS_COMPUTE_32F;
  }
}

} // namespace

void cuda_backend::do_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                               device_matrix<const float> b, transpose transpose_b, float beta,
                               device_matrix<float> c) {
  const auto inner = transpose_a == transpose::yes ? a.rows : a.columns;
  if (inner == 0) {
    // cuBLAS wants leading dimensions of at least 1; and a beta of 0 must not read c.
    if (beta == 0) return do_fill(0, c.elements());
    return do_scale(beta, c.elements());
  }
  const auto operation = [](transpose t) {
    return t == transpose::yes ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  const auto count = [](std::size_t n) { return static_cast<int>(n); };
  // cuBLAS counts by columns, where a row-major matrix is its own transpose: c^T = b^T a^T.
  call([&] {
    return GRADMESH_CUDA(blas_.gemm(blas_handle_, operation(transpose_b), operation(transpose_a),
                                    count(c.columns), count(c.rows), count(inner), &alpha, b.data,
                                    CUDA_R_32F, count(b.columns), a.data, CUDA_R_32F,
                                    count(a.columns), &beta, c.data, CUDA_R_32F, count(c.columns),
                                    compute_type(options_.precision), CUBLAS_GEMM_DEFAULT));
  });
}

void cuda_backend::do_add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                                            device_matrix<float> out) {
  if (a.columns.size == 0) return;
  std::size_t bytes = 0;
  call([&] { return GRADMESH_CUDA(cuda::transpose_scratch(a.columns.size, out.rows, bytes)); });
  void* room = scratch(for_transposing, bytes);
  call([&] {
    return GRADMESH_CUDA(
        cuda::add_sparse_transposed(stream(lane::compute), a, d, out, room, bytes));
  });
}

} // namespace gradmesh::gpu
