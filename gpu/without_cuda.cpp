#include "gpu/cuda_backend.hpp"

#include <utility>

namespace gradmesh::gpu {

namespace {

fault not_built() {
  return {fault_kind::no_device,
          "this build has no CUDA; configure with -DGRADMESH_CUDA=ON where nvcc is installed"};
}

} // namespace

device_list cuda_devices() {
  return {{}, not_built()};
}

cuda_made make_cuda_backend(const cuda_options& options) {
  auto why = not_built();
  why.text = "cuda:" + std::to_string(options.device) + ": " + why.text;
  return {nullptr, std::move(why)};
}

} // namespace gradmesh::gpu
