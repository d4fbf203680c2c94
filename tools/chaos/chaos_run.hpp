#pragma once

/// A run of `gradmesh chaos`: jobs on a mesh of processes, faults one after the other, checks.
///
/// With a deterministic bsp job the first is left alone: the parameters of the others have to be
/// the same. Jobs are submitted until all faults are done; each fault waits for the recovery from
/// the one before. Everything ends: a recovery, a job and silence have limits.

#include "config/job_config.hpp"
#include "tools/chaos/chaos_mesh.hpp"
#include "tools/chaos/chaos_result.hpp"
#include "tools/chaos/mesh_watch.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace gradmesh::tools::chaos {

enum class load_kind : std::uint8_t {
  training,
  pushes // none waits for another shard: [emulation] pushes_ahead of the workers' files
};

struct chaos_options {
  load_kind load = load_kind::training;
  std::uint64_t faults = 0;
  std::vector<fault_kind> kinds;
  std::vector<victim_role> roles; // whom a kind cannot hit is not named alone
  std::uint64_t seed = 1;
  std::chrono::milliseconds interval{1000};
  std::chrono::milliseconds longest{2000}; // of faults that end by themselves
  std::chrono::milliseconds heartbeat{100};
  std::chrono::seconds recovery_limit{30}; // after the fault's end
  std::chrono::seconds job_limit{600};
};

struct chaos_listeners {
  std::function<void(const std::string&)> news;
  std::function<void(const fault_outcome&)> fault;
};

class chaos_run {
public:
  chaos_run(config::job_config job, chaos_options options, chaos_listeners tell);
  ~chaos_run(); // ends the mesh

  /// Errors: what kept the mesh from starting.
  result<chaos_result> go();

private:
  /// A fault, from its beginning until the mesh goes on.
  struct active_fault {
    fault_outcome outcome;
    time_point began;
    std::optional<time_point> ended; // undone
    std::uint64_t incarnation = 0;   // of the node before
    recovery steps;
  };

  result<void> prepare();
  bool run_jobs();
  bool run_job(bool harmed);
  bool submit();
  /// What the status says of the job; true: it is over, well or not.
  bool judge(const result<mesh_view>& view);
  void check_model(bool harmed);
  bool within_limits(time_point job_began);
  void serve_fault(const result<mesh_view>& view);
  void begin_fault(const mesh_view& view);
  void watch_fault(const result<mesh_view>& view);
  /// With a load of pushes: those that a fault's figures are made of.
  bool has_seen_pushes();
  watched_fault watched(time_point until) const;
  void finish_fault();
  bool fail(const std::string& why);
  void look_after();
  double seconds_since_start(time_point t) const;
  std::string model_file() const { return mesh_->folder() + "/model.gmm"; }

  config::job_config job_;
  chaos_options options_;
  chaos_listeners tell_;
  chaos_result result_;

  std::unique_ptr<chaos_mesh> mesh_;
  std::optional<mesh_watch> watch_;
  std::optional<fault_plan> plan_;
  time_point began_;
  std::uint64_t job_id_ = 0;
  mesh_view last_;      // answer
  time_point heard_;    // when it came
  bool harmed_ = false; // faults come in this job
  time_point next_fault_;
  std::optional<fault> drawn_; // the next, when it is known
  std::optional<active_fault> active_;
};

} // namespace gradmesh::tools::chaos
