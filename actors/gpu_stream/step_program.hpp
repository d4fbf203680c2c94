#pragma once

/// What a gpu_stream runs: the plain code that computes a step on one backend, in two halves, so
/// that nobody waits for the device between them. Used by one thread.

#include "actors/error.hpp"
#include "gpu/backend.hpp"

#include <functional>
#include <memory>

namespace gradmesh::worker {
struct step_work;
}

namespace gradmesh::gpu_stream {

class step_program {
public:
  virtual ~step_program() = default;

  virtual gpu::backend& backend() = 0;
  /// Enqueues the step on the backend. One step is begun at a time.
  virtual result<void> begin(worker::step_work& work) = 0;
  /// After the backend is done: puts the results into the step.
  virtual result<void> end(worker::step_work& work) = 0;
};

enum class place : bool { device, cpu };

/// Opens a device, or takes the CPU, and makes the program on it.
using program_maker = std::function<result<std::unique_ptr<step_program>>(place)>;

} // namespace gradmesh::gpu_stream
