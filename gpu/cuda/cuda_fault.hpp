#pragma once

/// Results of CUDA and cuBLAS calls as faults. Every call goes through `GRADMESH_CUDA`.

#include "gpu/fault.hpp"

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

namespace gradmesh::gpu::cuda {

/// Whether an error leaves the process without use of the device.
bool is_sticky(cudaError_t error);

/// No fault for success. Clears what is not sticky, so that the next call does not report it again.
fault fault_of(cudaError_t error, const char* call, const char* file, int line);
fault fault_of(cublasStatus_t status, const char* call, const char* file, int line);

} // namespace gradmesh::gpu::cuda

#define GRADMESH_CUDA(call) ::gradmesh::gpu::cuda::fault_of((call), #call, __FILE__, __LINE__)
