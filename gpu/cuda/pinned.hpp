#pragma once

/// Pinned host memory of the process, not of a backend.

#include "gpu/pinned_memory.hpp"

#include <cstddef>
#include <memory>

namespace gradmesh::gpu::cuda {

/// Memory that every backend of every device copies from without a detour. It is pinned with
/// `device` as the current one of the calling thread; where that fails, ordinary memory comes.
std::shared_ptr<pinned_memory> make_pinned_memory(int device, std::size_t bytes_max);

} // namespace gradmesh::gpu::cuda
