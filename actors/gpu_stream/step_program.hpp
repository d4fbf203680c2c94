#pragma once

/// What a gpu_stream runs: the plain code that computes a step on one backend, in two halves, so
/// that nobody waits for the device between them. Used by one thread.

#include "actors/error.hpp"
#include "actors/learning/table.hpp"
#include "gpu/backend.hpp"

#include <functional>
#include <memory>
#include <span>

namespace gradmesh::worker {
struct step_work;
}

namespace gradmesh::gpu_stream {

class step_program {
public:
  virtual ~step_program() = default;

  virtual gpu::backend& backend() = 0;
  /// Steps that may be begun and not ended. A second one's copies run beside the first's products.
  virtual std::size_t steps_at_once() const { return 1; }
  /// Enqueues copies of blocks of the parameters of the step that will be begun next.
  virtual void upload_ahead(const worker::step_work& /*work*/,
                            std::span<const learning::dense_version> /*blocks*/) {}
  /// Enqueues the step on the backend. One that fails is not ended.
  virtual result<void> begin(worker::step_work& work) = 0;
  /// After the backend is done with it: puts the results into the step, the oldest that was begun.
  virtual result<void> end(worker::step_work& work) = 0;
};

enum class place : bool { device, cpu };

/// Opens a device, or takes the CPU, and makes the program on it.
using program_maker = std::function<result<std::unique_ptr<step_program>>(place)>;

} // namespace gradmesh::gpu_stream
