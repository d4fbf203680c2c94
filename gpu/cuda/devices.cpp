#include "gpu/cuda/cuda_fault.hpp"
#include "gpu/cuda_backend.hpp"
#include "gpu/driver_fault.hpp"

namespace gradmesh::gpu {

namespace {

fault why_none(cudaError_t error) {
  int driver = 0;
  (void)cudaDriverGetVersion(&driver);
  if (error == cudaErrorInsufficientDriver) return driver_fault(driver, CUDART_VERSION);
  if (error == cudaErrorNoDevice || error == cudaSuccess)
    return {fault_kind::no_device, "the NVIDIA driver finds no device (is it hidden by "
                                   "CUDA_VISIBLE_DEVICES?)"};
  auto why = cuda::fault_of(error, "cudaGetDeviceCount", __FILE__, __LINE__);
  why.kind = fault_kind::no_device;
  return why;
}

} // namespace

device_list cuda_devices() {
  device_list list;
  int count = 0;
  const auto error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) (void)cudaGetLastError();
  if (error != cudaSuccess || count == 0) {
    list.why = why_none(error);
    return list;
  }
  for (int number = 0; number < count; ++number) {
    cudaDeviceProp properties{};
    device_info info{number, "", 0};
    if (auto why = GRADMESH_CUDA(cudaGetDeviceProperties(&properties, number))) {
      list.why = std::move(why);
      continue;
    }
    info.name = properties.name;
    info.memory_bytes = properties.totalGlobalMem;
    list.devices.push_back(std::move(info));
  }
  if (!list.devices.empty()) list.why = {};
  return list;
}

} // namespace gradmesh::gpu
