#pragma once

/// The compute backend on the CPU: OpenBLAS for dense products, plain loops for the rest. Each
/// operation is done when its call returns; `wait()` only reports.
///
/// OpenBLAS is told to use one thread, because each compute actor has a thread of its own and more
/// would fight over the cores. That setting belongs to the whole process: an application that
/// embeds the mesh and uses OpenBLAS for itself gets one thread too.
///
/// Same bits: the loops sum in a fixed order, and products go through GEMM, which packs its
/// operands (GEMV's sums depend on how an operand is aligned). OpenBLAS chooses kernels by CPU
/// model, so another CPU may round differently.

#include "gpu/backend.hpp"

#include <memory>

namespace gradmesh::gpu {

enum class host_memory : bool {
  /// The backend works on host memory where it lies.
  shared,
  /// The backend behaves like a device with its own memory: everything is copied in and out. For
  /// checks that a model would run on such a device.
  copied,
};

std::unique_ptr<backend> make_cpu_backend(host_memory memory = host_memory::shared);

} // namespace gradmesh::gpu
