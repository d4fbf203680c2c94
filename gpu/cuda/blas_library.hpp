#pragma once

/// cuBLAS, opened when it is first needed: it is half a gigabyte that a process without a device
/// has no use for. Its version is that of the toolkit which this was built with.

#include "gpu/fault.hpp"

#include <cublas_v2.h>

#include <memory>
#include <utility>

namespace gradmesh::gpu::cuda {

struct blas_library {
  decltype(&cublasCreate_v2) create = nullptr;
  decltype(&cublasDestroy_v2) destroy = nullptr;
  decltype(&cublasSetStream_v2) set_stream = nullptr;
  decltype(&cublasSetWorkspace_v2) set_workspace = nullptr;
  /// cublasGemmEx, which has an overload in C++.
  cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n, int k,
                         const void* alpha, const void* a, cudaDataType, int lda, const void* b,
                         cudaDataType, int ldb, const void* beta, void* c, cudaDataType, int ldc,
                         cublasComputeType_t, cublasGemmAlgo_t) = nullptr;
};

/// Looks where the system does, then in the toolkit of the build. The library stays open for the
/// life of the process, since cuBLAS leaves threads and callbacks behind.
std::pair<blas_library, fault> open_blas_library();

} // namespace gradmesh::gpu::cuda
