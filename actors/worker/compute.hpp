#pragma once

/// The compute actor of a worker: one backend, one model, one step at a time, on a thread of its
/// own so that computing never delays communication.
///
/// A batch of several pieces is computed piece by piece, each like a batch of its own, and the
/// gradients are summed as a fixed binary tree. So the sum over a step has the same bits however
/// its pieces are spread over workers. With job.threads above 1 the batch as a whole is gone
/// through by HOGWILD! instead (learning/hogwild.hpp). Failure: an error is put into the step and
/// handed back; the actor goes on with the next.
///
/// SVRG (Johnson, Zhang: "Accelerating stochastic gradient descent using predictive variance
/// reduction", NIPS 2013) steps by g_i(w) - g_i(w~) + mu, where w~ are the parameters at the latest
/// snapshot and mu the gradient of the whole set there. In a snapshot's epoch the parameters stand
/// still: what is pulled is w~ and is kept here, what is pushed are the addends of mu, which the
/// shards keep (server_shard/snapshot_gradient.hpp). In the others g_i(w) - g_i(w~) is pushed.

#include "actors/actors.hpp"
#include "actors/env/clock.hpp"
#include "actors/gpu_stream/step_program.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/learning/hogwild.hpp"
#include "actors/node/context.hpp"
#include "actors/parameters/error_feedback.hpp"
#include "actors/parameters/gradient_sum.hpp"
#include "actors/parameters/slicer.hpp"
#include "actors/worker/own_writes.hpp"
#include "actors/worker/step_work.hpp"
#include "gpu/backend.hpp"
#include "gpu/host_buffer.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

namespace gradmesh::worker {

/// What is needed to compute steps of a job. Not an actor, so that it can be used and tested alone.
class step_computer final : public gpu_stream::step_program {
public:
  /// `make_team` is asked for threads if job.threads is above 1. Null for `backend`: the CPU's.
  static result<std::unique_ptr<step_computer>> make(const job::job_plan& plan,
                                                     const env::team_maker& make_team = {},
                                                     std::unique_ptr<gpu::backend> backend = {});

  /// Says that a step is about to be computed: threads that compute it wake up meanwhile. Any
  /// thread.
  void rouse() {
    if (hogwild_) hogwild_->rouse();
  }

  /// Fills in metrics and, unless the step is an evaluation, the bodies to push.
  result<void> compute(step_work& work);

  /// What steps go on from, besides parameters.
  struct kept_state {
    std::vector<float> snapshot;                      // SVRG: parameters of the latest
    std::vector<parameters::error_feedback> feedback; // by shard
  };
  /// For one that goes on in this one's place.
  const std::shared_ptr<kept_state>& kept() const { return kept_; }
  void go_on_from(std::shared_ptr<kept_state> kept) { kept_ = std::move(kept); }

  /// As learning::model.
  const learning::memory_plan& fit(const learning::batch_sizes& examples, std::uint64_t bytes_max) {
    return plan_ = model_->fit(examples, bytes_max);
  }

  /// The two halves of `compute`. A step by HOGWILD! is done when `begin` returns.
  gpu::backend& backend() override { return *backend_; }
  std::size_t steps_at_once() const override { return plan_.steps_at_once; }
  void upload_ahead(const step_work& work,
                    std::span<const learning::dense_version> blocks) override;
  result<void> begin(step_work& work) override;
  result<void> end(step_work& work) override;

private:
  step_computer(std::unique_ptr<gpu::backend> backend, std::unique_ptr<learning::model> model,
                parameters::slicer slicer, const config::job_section& options);

  /// What a piece needs and gives. Kept from step to step.
  struct piece {
    explicit piece(gpu::backend& backend) : gradients(backend), at_snapshot(backend) {}

    learning::step_plan plan;
    table_rows rows;                     // of the plan's keys
    gpu::host_buffer<float> gradients;   // dense, then the rows of each sparse table
    gpu::host_buffer<float> at_snapshot; // SVRG
    parameters::gradient gradient;       // the same, seen as a whole
  };
  /// A step between `begin` and `end`.
  struct flight {
    std::vector<piece> pieces;
    std::size_t begun = 0; // batches by the model, from which nothing has come back
  };

  result<void> add_threads(const job::job_plan& plan, const env::team_maker& make_team);
  /// What the shards subtract a step's gradients by; close to it where an asynchronous job's rate
  /// changes, since what a shard then takes for the step counts all that came before.
  float push_rate(std::uint64_t step) const;
  /// All checks and preparations that do not compute.
  result<void> prepare(step_work& work);
  result<void> enqueue(step_work& work, flight& to);
  /// Works on the whole batch, now.
  result<void> descend(step_work& work, flight& to);
  /// Of the batch's rows those of the piece's plan.
  void cut_out(const step_work& work, piece& to) const;
  result<void> enqueue_piece(const step_work& work, const learning::example_view& examples,
                             const learning::step_plan& plan, const table_rows& rows, piece& to,
                             flight& of);
  result<mesh::writable_body> encode_part(parameters::error_feedback& feedback,
                                          const parameters::slice& slice,
                                          const parameters::part& part,
                                          const learning::parameter_view& gradients);
  result<void> fill_pushes(step_work& work, const parameters::gradient& total);

  std::unique_ptr<gpu::backend> backend_;
  std::unique_ptr<learning::model> model_;
  std::unique_ptr<learning::hogwild> hogwild_; // null: by the model
  parameters::rate_schedule schedule_;         // the shards'
  std::uint64_t steps_total_ = 0;
  float pushes_per_rate_ = 1; // what the shards divide the rate by
  parameters::slicer slicer_;
  worker::own_writes own_writes_;
  parameters::gradient_sum sum_;
  const bool by_snapshots_; // SVRG
  std::shared_ptr<kept_state> kept_ = std::make_shared<kept_state>();
  learning::memory_plan plan_;
  std::array<flight, 2> flights_; // taking turns
  std::size_t oldest_ = 0;
  std::size_t under_way_ = 0;
  std::vector<float> values_; // of a part that is being encoded
};

/// For experiments: how long a step takes at least, and how many times as long as it would; that
/// in a part of the steps, which follow from the seed.
struct step_pace {
  std::chrono::milliseconds least{0};
  double slowdown = 1;
  double slow_part = 1;
  std::uint64_t seed = 0;

  /// The time of a step that was computed in `took`.
  env::time_point::duration time_for(std::uint64_t step, env::time_point::duration took) const;
};

/// `computer` is used by nobody else. A step that takes longer by the pace than it took is handed
/// back later; nothing blocks meanwhile.
compute_actor::behavior_type compute(compute_actor::pointer self, worker_actor worker,
                                     std::shared_ptr<step_computer> computer, step_pace pace);

} // namespace gradmesh::worker
