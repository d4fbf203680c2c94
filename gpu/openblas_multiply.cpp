#include "gpu/cpu_multiply.hpp"

#include <cblas.h>

#include <algorithm>

namespace gradmesh::gpu {

namespace {

CBLAS_TRANSPOSE blas(transpose t) {
  return t == transpose::yes ? CblasTrans : CblasNoTrans;
}

} // namespace

void prepare_cpu_multiply() {
  // Once a process, because setting it while another backend computes would be a race.
  [[maybe_unused]] static const bool one_thread = (openblas_set_num_threads(1), true);
}

void cpu_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                  device_matrix<const float> b, transpose transpose_b, float beta,
                  device_matrix<float> c) {
  const auto inner = static_cast<blasint>(transpose_a == transpose::yes ? a.rows : a.columns);
  // BLAS wants leading dimensions of at least 1, also where nothing is read.
  const auto stride = [](std::size_t columns) {
    return static_cast<blasint>(std::max<std::size_t>(columns, 1));
  };
  cblas_sgemm(CblasRowMajor, blas(transpose_a), blas(transpose_b), static_cast<blasint>(c.rows),
              static_cast<blasint>(c.columns), inner, alpha, a.data, stride(a.columns), b.data,
              stride(b.columns), beta, c.data, stride(c.columns));
}

} // namespace gradmesh::gpu
