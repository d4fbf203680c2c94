#include "actors/env/device.hpp"

#include <utility>

namespace gradmesh::env {

namespace {

errc code_of(gpu::fault_kind kind) {
  switch (kind) {
  case gpu::fault_kind::no_device:
    return errc::not_found;
  case gpu::fault_kind::out_of_memory:
    return errc::limit_exceeded;
  default:
    return errc::io_failed;
  }
}

} // namespace

device_opener real_devices() {
  return [](const gpu::cuda_options& options) -> result<std::unique_ptr<gpu::backend>> {
    auto opened = gpu::make_cuda_backend(options);
    if (!opened.made) return error{code_of(opened.why.kind), std::move(opened.why.text)};
    return std::move(opened.made);
  };
}

} // namespace gradmesh::env
