#pragma once

/// A mesh on this machine, for one job: `gradmesh run`. Either real processes (the default) or the
/// same actors in this process.

#include "actors/env/environment.hpp"
#include "config/job_config.hpp"
#include "tools/mesh_access.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gradmesh::tools {

class local_mesh {
public:
  virtual ~local_mesh() = default; // ends whatever still runs

  /// How a client reaches it.
  virtual const env::environment& environment() const = 0;
  virtual mesh_access access() const = 0;
  /// Where to look for more, in one line.
  virtual std::string description() const = 0;
  /// Called now and then while a job runs: starts processes again that have died. Returns what has
  /// happened to nodes since the last call, a line each.
  virtual std::vector<std::string> look_after() = 0;
  /// How often nodes were started again.
  virtual std::uint32_t restarts() const = 0;
  /// Why the mesh cannot go on, if it cannot: its coordinator stays dead.
  virtual std::optional<std::string> end() = 0;
  /// The first node that has ended of late although nobody asked it to, for a job that has failed:
  /// its name, how it ended, its last words.
  virtual std::optional<std::string> casualty() = 0;
  /// Waits for the nodes, which have been told to end, and ends those that do not.
  virtual void stop() = 0;
};

/// Starts a coordinator and as many servers, workers and data servers as `[mesh]` says, each in a
/// process of its own, and waits until they listen. Their files and logs go to a folder of this run
/// in `mesh.log_dir`. A process that dies is started again (mesh.restarts).
result<std::unique_ptr<local_mesh>> start_processes(const config::job_config& job);

/// The same nodes in this process, linked by memory.
result<std::unique_ptr<local_mesh>> start_in_process(const config::job_config& job);

/// The name and file of each node of the local mesh of a job.
struct planned_node {
  std::string name;
  std::string config;
};
struct mesh_plan {
  std::string coordinator_at = {}; // where the others look for it
  std::string certificates = {};   // folder of make_certificates, where the job's lane needs one
  std::string state_folder = {};   // the nodes' state folders are in it; empty: they have none
  /// More lines of [node] for a node; may be null.
  std::function<std::string(const std::string& name)> node_lines = {};
  std::string worker_emulation = {}; // more lines of [emulation] for workers
};
/// The coordinator comes first.
std::vector<planned_node> plan_nodes(const config::job_config& job, const mesh_plan& plan);

/// What a node file says for a lane; `prefix` as in tls_files.
std::string lane_lines(config::lane_kind lane, const std::string& prefix);

/// Makes a CA in the folder, and certificates for nodes with all roles.
result<void> make_certificates(const std::string& folder, const std::vector<std::string>& nodes);

} // namespace gradmesh::tools
