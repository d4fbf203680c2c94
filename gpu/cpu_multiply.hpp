#pragma once

/// Products of matrices on the CPU: by OpenBLAS (openblas_multiply.cpp), or by plain loops where
/// gpu/ is built alone on a machine without it (plain_multiply.cpp).

#include "gpu/backend.hpp"

namespace gradmesh::gpu {

/// Before the first product; may be called again.
void prepare_cpu_multiply();

/// As `backend::multiply`, with shapes that fit.
void cpu_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                  device_matrix<const float> b, transpose transpose_b, float beta,
                  device_matrix<float> c);

} // namespace gradmesh::gpu
