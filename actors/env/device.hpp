#pragma once

/// The seam to GPUs: their library has threads and clocks of its own, so that whatever runs in
/// virtual time has none.

#include "actors/error.hpp"
#include "gpu/cuda_backend.hpp"

#include <functional>
#include <memory>

namespace gradmesh::env {

/// Opens a CUDA device. Errors: `not_found` where there is none of this number or it cannot be used
/// (the driver is older than the toolkit, say), `limit_exceeded` without memory, `io_failed`
/// otherwise.
using device_opener =
    std::function<result<std::unique_ptr<gpu::backend>>(const gpu::cuda_options&)>;

device_opener real_devices();

} // namespace gradmesh::env
