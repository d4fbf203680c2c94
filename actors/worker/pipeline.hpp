#pragma once

/// One phase of a job on one worker: a pipeline of bounded windows.
///
///   lease -> (plan) -> pull -> compute -> push
///
/// While step t is computed, the parameters of t + 1 are on their way, the batches after it are
/// leased, and the gradients of t - 1 leave. Steps are computed in the order in which they were
/// leased. With [job] overlap = false a step goes through all stages before the next is leased.
/// The shard lets the pull of step t + 1 wait until the job's strategy allows it. Where the worker
/// adds its own pushes to what it reads (job_plan::adds_own_writes) that needs not wait for those
/// of step t: a pushed step is kept until nothing that was asked for lacks it.
///
/// Plain code: time comes in by argument, messages go out by the router, steps to be computed by a
/// function. An error that a function returns ends the job. An answer to nothing that this pipeline
/// asked belongs to one before it, and is ignored.

#include "actors/env/clock.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/learning/model.hpp"
#include "actors/mesh/router.hpp"
#include "actors/parameters/slicer.hpp"
#include "actors/worker/parameter_client.hpp"
#include "actors/worker/plan_cache.hpp"
#include "actors/worker/progress.hpp"
#include "actors/worker/step_work.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <vector>

namespace gradmesh::worker {

enum class pass : std::uint8_t { train, evaluate };

struct pipeline_options {
  std::size_t prefetch = 2;         // batches leased ahead of the one that is computed
  std::size_t pushes_in_flight = 2; // steps pushed but not acknowledged
  bool pulls = true;                // false: a load ([emulation] pushes_ahead) computed from zeros
};

/// What a pipeline works with; it outlives the pipeline.
struct pipeline_tools {
  const job::job_plan& plan;
  std::uint32_t rank;
  const std::vector<job::place>& data_servers; // to lease from, one after the other
  mesh::service_id service;                    // of the worker
  mesh::router& router;
  const parameters::slicer& slicer;
  const learning::model& model; // for planning only
  plan_cache* evaluations = nullptr;
  rule_set rules;
  /// Has a step computed; it comes back by `on_computed`.
  std::function<void(std::shared_ptr<step_work>)> compute;
  /// Says that a step is about to be computed; may be empty.
  std::function<void()> announce;
  /// On a device: what it copies parameters from, how many steps it takes at once, and whom to tell
  /// of parameters that have come before the rest. Else null, 1 and empty.
  std::shared_ptr<std::pmr::memory_resource> memory{};
  std::size_t steps_at_once = 1;
  std::function<void(std::shared_ptr<const step_work>, std::vector<learning::dense_version>)>
      upload_ahead{};
};

/// How long a request may be without an answer.
struct patience {
  std::chrono::seconds request_timeout{0}; // of the job
  std::chrono::seconds wait{0};            // of the job, where it may be waiting for a member
  std::string why{};                       // it may be: "there is no link to 'server-0'"
};

/// "25 s: job.request_timeout (5 s) and job.wait (20 s), because there is no link to 'server-0'"
std::string describe(const patience& limit);

class pipeline {
public:
  pipeline(pipeline_tools tools, std::uint32_t phase, pass what, pipeline_options options,
           env::time_point now);

  std::uint32_t phase() const { return phase_; }

  /// Starts whatever the windows allow. Called after each event, and once to begin.
  result<void> advance(env::time_point now);

  result<void> on_batch(const message<schema::Batch>& batch);
  result<void> on_pulled(const message<schema::Pulled>& pulled);
  result<void> on_computed(std::shared_ptr<step_work> work);
  result<void> on_pushed(const message<schema::Pushed>& pushed);
  result<void> on_refused(const message<schema::Refusal>& refusal);
  /// As parameter_client::on_layout.
  void on_layout(const job::shard_layout& before) { client_.on_layout(before); }
  /// What a node owes is asked for again when there is a way to ask.
  void on_link_lost(const mesh::node_uuid& node);

  /// Everything was leased, computed and acknowledged.
  bool done() const;
  const phase_progress& progress() const { return progress_; }
  /// As phase_progress::report.
  void report(schema::WorkerProgress::Builder out);
  /// The request that has been without an answer for longest, if for longer than that.
  std::optional<error> overdue(env::time_point now, const patience& limit) const;
  /// As parameter_client::is_fenced.
  bool is_fenced() const { return client_.is_fenced(); }

private:
  struct lease {
    std::size_t data_server;
    std::uint64_t sequence; // there
    env::time_point since;
  };

  std::string describe(const lease& l) const;

  bool may_lease() const;
  result<void> lease_more(env::time_point now);
  /// False: not now.
  result<bool> ask_for(const lease& what);
  void pull_more(env::time_point now);
  /// Whether the shards have applied a step without this worker (backup workers).
  bool is_over(const step_work& work) const;
  void skip(std::shared_ptr<step_work> work);
  void pull(const std::shared_ptr<step_work>& work, env::time_point now);
  void pull_snapshot(const std::shared_ptr<step_work>& work, env::time_point now);
  void take_in(step_work& work, env::time_point began);
  /// How many steps may be computed at once: where one may be computed without what the one before
  /// it pushes, so many as the device takes.
  std::size_t steps_at_once() const;
  /// A block of a step's parameters has come: has it copied to a device, together with others.
  void pass_on(const std::shared_ptr<step_work>& work, const parameters::slice& of,
               const parameter_client::pulled_part& part);
  /// The parameters of a step begin to come.
  void announce(const step_work& work);
  void push_computed();
  void acknowledged(const std::shared_ptr<step_work>& work, std::uint64_t number,
                    std::uint64_t staleness);
  result<void> compute_next();
  /// Lets go of pushed steps that no read lacks.
  void forget_own_pushes();
  /// Gives a step those that its values lack. Errors: `refused` if one is not here any more.
  result<void> give_own_writes(step_work& work) const;
  stall waiting_for() const;
  std::shared_ptr<step_work> fresh_work();

  const pipeline_tools tools_;
  const std::uint32_t phase_;
  const pass pass_;
  const pipeline_options options_;
  phase_progress progress_;
  double held_seconds_ = 0; // by the shard, of the answer that is being dealt with
  /// Steps whose parameters have come since the last `advance`.
  struct arrival {
    env::time_point began;
    double held_seconds;
  };
  std::vector<arrival> arrived_;

  parameter_client client_;
  std::map<std::uint64_t, lease> leases_;    // asked for, by message id
  std::deque<lease> unasked_;                // to be asked for again, in order
  std::chrono::milliseconds lease_pause_{0}; // before that, since the last `advance`
  env::time_point lease_at_{};
  std::size_t data_server_ = 0;      // present one, in `tools_.data_servers`
  std::uint64_t lease_sequence_ = 0; // there
  bool exhausted_ = false;
  std::deque<std::shared_ptr<step_work>> leased_;    // in lease order; not yet pulled
  std::deque<std::shared_ptr<step_work>> pulled_;    // pulls asked for, in lease order
  std::deque<std::shared_ptr<step_work>> computing_; // oldest first
  std::shared_ptr<step_work> computed_;              // to be pushed
  std::uint64_t pulled_steps_ = 0;
  bool has_snapshot_ = false;              // SVRG: a step has brought it
  std::vector<std::uint64_t> shard_steps_; // by shard: steps applied; with backup workers only
  std::uint64_t pushed_steps_ = 0;
  std::map<std::uint64_t, std::size_t> acks_missing_; // by number of the push: of so many shards
  const bool adds_own_;
  /// A step that was pushed, and may have to be added to others.
  struct own_push {
    std::shared_ptr<step_work> work;
    /// Pulls that had been asked for when the last shard acknowledged it; those after have it.
    std::optional<std::uint64_t> pulls_before_ack;
  };
  std::deque<own_push> own_pushes_; // one a step, in order
  std::uint64_t pulls_asked_ = 0;   // steps
  std::uint64_t announced_ = 0;     // number of the last pull that was, plus one
  std::size_t at_once_ = 1;
  /// Blocks that have come, of the step that is computed next, and have not been passed on.
  std::vector<learning::dense_version> ahead_;
  std::size_t ahead_floats_ = 0;
  std::vector<std::shared_ptr<step_work>> spare_; // buffers to use again
};

} // namespace gradmesh::worker
