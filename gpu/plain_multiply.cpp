#include "gpu/cpu_multiply.hpp"

namespace gradmesh::gpu {

void prepare_cpu_multiply() {}

void cpu_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                  device_matrix<const float> b, transpose transpose_b, float beta,
                  device_matrix<float> c) {
  const auto inner = transpose_a == transpose::yes ? a.rows : a.columns;
  const auto at = [](device_matrix<const float> m, transpose t, std::size_t i, std::size_t j) {
    return t == transpose::yes ? m.data[j * m.columns + i] : m.data[i * m.columns + j];
  };
  for (std::size_t i = 0; i < c.rows; ++i) {
    float* out = c.data + i * c.columns;
    // What stands there is not read for a beta of 0: it may be NaN.
    for (std::size_t j = 0; j < c.columns; ++j)
      out[j] = beta == 0 ? 0 : beta * out[j];
    for (std::size_t p = 0; p < inner; ++p) {
      const float factor = alpha * at(a, transpose_a, i, p);
      for (std::size_t j = 0; j < c.columns; ++j)
        out[j] += factor * at(b, transpose_b, p, j);
    }
  }
}

} // namespace gradmesh::gpu
