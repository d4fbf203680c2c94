#include "gpu/cuda/cuda_fault.hpp"

#include <cstring>
#include <string>

namespace gradmesh::gpu::cuda {

namespace {

std::string place(const char* call, const char* file, int line) {
  const char* name = std::strrchr(file, '/');
  return std::string("gpu/cuda/") + (name ? name + 1 : file) + ":" + std::to_string(line) + ": " +
         call;
}

const char* name_of(cublasStatus_t status) {
  switch (status) {
  case CUBLAS_STATUS_NOT_INITIALIZED:
    return "not initialized";
  case CUBLAS_STATUS_ALLOC_FAILED:
    return "no memory for its own use";
  case CUBLAS_STATUS_INVALID_VALUE:
    return "invalid value";
  case CUBLAS_STATUS_ARCH_MISMATCH:
    return "not possible on this device";
  case CUBLAS_STATUS_MAPPING_ERROR:
    return "access to device memory failed";
  case CUBLAS_STATUS_EXECUTION_FAILED:
    return "execution failed";
  case CUBLAS_STATUS_NOT_SUPPORTED:
    return "not supported";
  default:
    return "internal error";
  }
}

} // namespace

bool is_sticky(cudaError_t error) {
  switch (error) {
  case cudaErrorIllegalAddress:
  case cudaErrorLaunchTimeout:
  case cudaErrorLaunchFailure:
  case cudaErrorHardwareStackError:
  case cudaErrorIllegalInstruction:
  case cudaErrorMisalignedAddress:
  case cudaErrorInvalidAddressSpace:
  case cudaErrorInvalidPc:
  case cudaErrorAssert:
  case cudaErrorECCUncorrectable:
  case cudaErrorNvlinkUncorrectable:
  case cudaErrorContextIsDestroyed:
  case cudaErrorDevicesUnavailable:
  case cudaErrorSystemNotReady:
  case cudaErrorUnknown:
    return true;
  default:
    return false;
  }
}

fault fault_of(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return {};
  (void)cudaGetLastError();
  const bool lost = is_sticky(error);
  const bool none = error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver ||
                    error == cudaErrorInvalidDevice;
  const auto kind = lost                                 ? fault_kind::device_lost
                    : error == cudaErrorMemoryAllocation ? fault_kind::out_of_memory
                    : none                               ? fault_kind::no_device
                                                         : fault_kind::device_failed;
  std::string text = place(call, file, line) + ": " + cudaGetErrorString(error) + " (" +
                     cudaGetErrorName(error) + ")";
  if (lost) text += "; this process has lost the device";
  return {kind, text};
}

fault fault_of(cublasStatus_t status, const char* call, const char* file, int line) {
  if (status == CUBLAS_STATUS_SUCCESS) return {};
  // cuBLAS hides why; what CUDA says of the device decides whether it is lost.
  const auto device = cudaGetLastError();
  const auto kind = is_sticky(device)                      ? fault_kind::device_lost
                    : status == CUBLAS_STATUS_ALLOC_FAILED ? fault_kind::out_of_memory
                                                           : fault_kind::device_failed;
  std::string text = place(call, file, line) + ": cuBLAS: " + name_of(status) + " (" +
                     std::to_string(static_cast<int>(status)) + ")";
  if (device != cudaSuccess) text += std::string("; CUDA: ") + cudaGetErrorString(device);
  return {kind, text};
}

} // namespace gradmesh::gpu::cuda
