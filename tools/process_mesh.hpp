#pragma once

/// A local mesh of processes, for those who do more with them than run a job.

#include "tools/local_mesh.hpp"
#include "tools/supervised_node.hpp"

#include <functional>
#include <list>
#include <string>
#include <vector>

namespace gradmesh::tools {

struct process_mesh_options {
  std::string folder; // for node files, logs and what nodes keep over restarts; is made
  /// More lines of [node] for a node; may be null.
  std::function<std::string(const std::string& name)> node_lines = {};
  std::string worker_emulation = {}; // more lines of [emulation] for workers
  /// Where others are to dial a node that listens at an address; may be null: there.
  std::function<std::string(const std::string& name, const std::string& listens_at)> dialled_at =
      {};
};

class process_mesh final : public local_mesh {
public:
  /// Starts the nodes and waits until they listen.
  static result<std::unique_ptr<process_mesh>> start(const config::job_config& job,
                                                     process_mesh_options options);
  ~process_mesh() override; // ends all that runs

  const env::environment& environment() const override { return environment_; }
  mesh_access access() const override { return access_; }
  std::string description() const override;
  std::vector<std::string> look_after() override;
  std::uint32_t restarts() const override;
  std::optional<std::string> end() override;
  std::optional<std::string> casualty() override;
  void stop() override;

  /// The coordinator first.
  std::list<supervised_node>& nodes() { return nodes_; }

private:
  process_mesh(const config::job_config& job, process_mesh_options options);
  result<void> start_all(const config::job_config& job);
  result<void> make_certificates_for(const config::job_config& job);
  result<void> launch(const planned_node& node);
  std::string state_folder() const { return options_.folder + "/state"; }

  env::environment environment_;
  process_mesh_options options_;
  restart_policy policy_;
  mesh_access access_; // the default cluster, so that `gradmesh status` needs only the address
  std::list<supervised_node> nodes_;
};

/// A folder for this run in `mesh.log_dir`; there is none of that name yet.
std::string run_folder(const config::job_config& job);

} // namespace gradmesh::tools
