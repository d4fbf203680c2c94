#pragma once

/// Where a worker's steps are computed: on the CPU by the compute actor, or on a CUDA device by a
/// gpu_stream and its host.

#include "actors/gpu_stream/gpu_host.hpp"
#include "actors/worker/compute.hpp"
#include "config/node_config.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace gradmesh::worker {

/// What `worker.device` of a node file comes to here; empty: the CPU. Opens the device to see that
/// it works. Errors: a device that was named and cannot be opened (env::device_opener). With `auto`
/// that is the CPU, which the log then says.
result<std::optional<gpu::cuda_options>> choose_device(const config::node_config& config,
                                                       const env::environment& environment);

class compute_place {
public:
  /// Errors: those of step_computer::make and env::device_opener; `limit_exceeded` for a model that
  /// does not fit in the device's memory.
  static result<compute_place> make(const job::job_plan& plan, const node::context& context,
                                    const std::optional<gpu::cuda_options>& device);

  /// Spawns the actor that computes. Once. `pace` is for the CPU.
  compute_actor spawn(caf::actor_system& system, worker_actor worker, step_pace pace,
                      std::shared_ptr<gpu_stream::device_health> health);

  /// After `spawn`: says that a step is about to be computed (step_computer::rouse); empty if that
  /// helps nothing. Any thread.
  const std::function<void()>& announce() const { return announce_; }
  /// What a device copies parameters from; null: there is none. And how many steps it takes at
  /// once.
  const std::shared_ptr<gpu::pinned_memory>& memory() const { return memory_; }
  std::size_t steps_at_once() const { return steps_at_once_; }

private:
  compute_place() = default;

  std::unique_ptr<step_computer> computer_;
  gpu_stream::program_maker make_again_; // empty: on the CPU
  gpu_stream::host_options host_;
  std::shared_ptr<gpu::pinned_memory> memory_;
  std::size_t steps_at_once_ = 1;
  bool has_threads_ = false;
  std::function<void()> announce_;
};

} // namespace gradmesh::worker
