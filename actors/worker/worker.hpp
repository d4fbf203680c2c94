#pragma once

/// A worker: takes part in a job as one rank. Interface and messages: actors.hpp; how a step goes
/// through it: pipeline.hpp.
///
/// Failure: whatever keeps the job from going on (a refusal, a request without an answer for too
/// long, a compute error) is told to the coordinator as JobFailed, once; the worker then waits for
/// the next plan. A link that breaks is none of it: what went over it is sent again when it is
/// back, or when a layout names another server. Without its coordinator a worker goes on.

#include "actors/actors.hpp"
#include "actors/defaults.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/node/context.hpp"
#include "actors/worker/compute.hpp"
#include "actors/worker/compute_place.hpp"
#include "actors/worker/pipeline.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace gradmesh::worker {

/// What a worker holds for a job.
struct worker_job {
  worker_job() = default;
  worker_job(const worker_job&) = delete;
  worker_job& operator=(const worker_job&) = delete;
  ~worker_job(); // ends the compute actor

  job::job_plan plan;
  std::uint32_t rank = 0;
  std::vector<job::place> data_servers; // that it leases from, in this order
  mesh::address coordinator;            // who sent the plan, and is told how it goes
  mesh::frame_header plan_request;
  bool ready = false; // all links are up and PlanReady is sent
  env::time_point links_needed_by;
  std::unique_ptr<gpu::backend> backend;
  std::unique_ptr<learning::model> planner;
  plan_cache evaluations{defaults::worker::evaluation_plan_bytes};
  std::optional<parameters::slicer> slicer;
  compute_actor compute;
  std::function<void()> announce; // to what it computes with: see compute_place
  std::shared_ptr<std::pmr::memory_resource> memory;
  std::size_t steps_at_once = 1;
  std::shared_ptr<gpu_stream::device_health> health;
  std::optional<pipeline> phase;
  std::uint32_t last_phase = 0; // the highest that was started
  /// That the phase started last is done, in case it did not arrive.
  std::optional<mesh::draft<schema::PhaseProgress>> last_word;
  bool failed = false;
  error failure; // that the coordinator was told
};

struct worker_options {
  pipeline_options pipeline;
  step_pace pace;
  std::optional<gpu::cuda_options> device; // empty: the CPU
};

struct worker_state {
  using pointer = worker_actor::stateful_pointer<worker_state>;

  pointer self = nullptr;
  node::context_ptr context;
  mesh::service_id service;
  worker_options options;
  std::set<mesh::node_uuid> peers;
  /// Those that the job needs and that there is no link to: names, and since when.
  std::map<mesh::node_uuid, std::pair<std::string, env::time_point>> missed;
  std::unique_ptr<worker_job> job;

  result<void> prepare(const message<schema::JobPlan>& request);
  result<void> start(const message<schema::StartPhase>& request);
  result<void> take(const message<schema::Layout>& request);
  /// Runs a pipeline event; an error that it returns ends the job.
  template <class Event>
  result<void> run(Event event);
  void peer_came(const env::peer& who);
  void peer_went(const env::peer& who, const error& why);
  void joined(const mesh::node_uuid& coordinator);
  void on_tick();
  void end_job();
  /// Tells the coordinator that the job cannot go on.
  void fail(const error& why);

private:
  /// How long requests may be without an answer now.
  patience how_patient() const;
  using ahead_function = decltype(pipeline_tools::upload_ahead);
  /// To what it computes with, if that is a device.
  ahead_function ahead_sender();
  std::string missing_links() const;
  void ready_if_linked();
  void report_progress();
  void report_failure();
  /// Writes to the service board what the worker does, in one word, and how far it is.
  void report(std::string activity);

  std::string activity_;
};

worker_actor::behavior_type worker(worker_state::pointer self, node::context_ptr context,
                                   mesh::service_id service, worker_options options);

} // namespace gradmesh::worker
