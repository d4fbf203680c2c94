#pragma once

/// One worker of a job that is done again: its steps, from the batch to the gradients, by the code
/// that the worker itself runs.
///
/// Steps are computed in the order of the pushes, because what a push loses in a coarse format is
/// carried on to the next (parameters/error_feedback.hpp).

#include "actors/data_server/batch_schedule.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/learning/model.hpp"
#include "actors/parameters/rule_registry.hpp"
#include "actors/parameters/slicer.hpp"
#include "actors/record/event.hpp"
#include "actors/worker/compute.hpp"
#include "actors/worker/step_work.hpp"
#include "gpu/backend.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>

namespace gradmesh::replay {

/// What all workers of a replayed job share. Used by one thread.
struct replay_job {
  const job::job_plan& plan;
  const learning::dataset& train;
  const parameters::rule_registry& update_rules;
  data_server::batch_schedule schedule;
  parameters::slicer slicer;
  std::unique_ptr<gpu::backend> backend;
  std::unique_ptr<learning::model> planner; // on `backend`; plans steps, computes none
};

/// What a push was computed from: pieces [first_piece, first_piece + pieces) of a step.
struct pushed_batch {
  std::uint64_t step = 0;
  std::uint32_t first_piece = 0;
  std::uint32_t pieces = 0;
};
using pushed_batches = std::map<std::uint64_t, pushed_batch>; // by sequence

class replay_worker {
public:
  /// `batches`: of all pushes of the worker. `job` outlives it.
  static result<replay_worker> make(replay_job& job, pushed_batches batches);

  bool pushes(std::uint64_t sequence) const { return batches_.contains(sequence); }

  /// A step whose parameters are being read, or which is being pushed; `pushes(sequence)`.
  result<worker::step_work*> step_of(std::uint64_t sequence);

  /// So many parts of the step's parameters have been read: computes it when all have, and all
  /// steps before it.
  result<void> add_read(std::uint64_t sequence, std::size_t parts);
  bool is_computed(std::uint64_t sequence) const { return sequence < computed_before_; }

  /// A part of the push was taken (or dropped). True when the whole push was.
  bool add_pushed(std::uint64_t sequence);

private:
  struct open_step {
    std::shared_ptr<worker::step_work> work = std::make_shared<worker::step_work>();
    std::size_t parts = 0; // over all shards
    std::size_t reads = 0;
    std::size_t pushed = 0;
  };

  replay_worker(replay_job& job, std::unique_ptr<worker::step_computer> computer,
                pushed_batches batches)
      : job_(&job), computer_(std::move(computer)), batches_(std::move(batches)) {}
  result<void> compute_ready();
  result<void> compute(const std::shared_ptr<worker::step_work>& work);

  replay_job* job_;
  std::unique_ptr<worker::step_computer> computer_;
  pushed_batches batches_;
  std::map<std::uint64_t, std::unique_ptr<open_step>> open_;
  /// Computed last: those that the values of the next may lack.
  std::deque<std::shared_ptr<const worker::step_work>> own_pushes_;
  std::uint64_t computed_before_ = 0;
};

} // namespace gradmesh::replay
