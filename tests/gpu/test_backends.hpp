#pragma once

/// The backends that every operation is tested on: the CPU's, on shared and on copied memory, the
/// one with lanes, and a CUDA device if this machine has one.

#include "gpu/cuda_backend.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace gradmesh::gpu {

std::vector<std::unique_ptr<backend>> test_backends();

/// Device 0, or null; then prints "skipped: " and why, which ctest looks for.
std::unique_ptr<backend> test_device(const cuda_options& options = {});

/// Seeds for random operands: a few that are always the same, and fresh ones. The environment
/// variable GRADMESH_SEED sets a single one, to see a failure again.
std::vector<std::uint64_t> test_seeds();

} // namespace gradmesh::gpu
