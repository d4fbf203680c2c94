#include "gpu/cuda/blas_library.hpp"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <string>

namespace gradmesh::gpu::cuda {

namespace {

#define GRADMESH_TEXT_OF(x) #x
#define GRADMESH_TEXT(x) GRADMESH_TEXT_OF(x)
constexpr const char* file_name = "libcublas.so." GRADMESH_TEXT(CUBLAS_VER_MAJOR);

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

} // namespace

std::pair<blas_library, fault> open_blas_library() {
  blas_library blas;
  void* library = dlopen(file_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const std::string in_toolkit = std::string(GRADMESH_CUDA_LIBRARIES) + "/" + file_name;
    library = dlopen(in_toolkit.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  }
  if (!library) {
    const char* why = dlerror();
    return {blas,
            {fault_kind::no_device, std::string("cuBLAS cannot be opened: ") + (why ? why : "") +
                                        "; install it, or add its folder to LD_LIBRARY_PATH"}};
  }
  const bool whole = find(library, "cublasCreate_v2", blas.create) &&
                     find(library, "cublasDestroy_v2", blas.destroy) &&
                     find(library, "cublasSetStream_v2", blas.set_stream) &&
                     find(library, "cublasSetWorkspace_v2", blas.set_workspace) &&
                     find(library, "cublasGemmEx", blas.gemm);
  if (!whole)
    return {blas,
            {fault_kind::no_device, std::string(file_name) +
                                        " lacks functions that it should have; "
                                        "install the toolkit's own"}};
  return {blas, {}};
}

} // namespace gradmesh::gpu::cuda
