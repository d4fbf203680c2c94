#pragma once

/// A mesh of processes that can be harmed: `gradmesh chaos`.

#include "tools/chaos/fault_plan.hpp"
#include "tools/chaos/fault_proxy.hpp"
#include "tools/chaos/push_watch.hpp"
#include "tools/process_mesh.hpp"

#include <memory>
#include <string>

namespace gradmesh::tools::chaos {

struct chaos_mesh_options {
  std::chrono::milliseconds heartbeat{100};
  bool through_proxy = false;     // what partitions need, and to see pushes
  std::uint32_t pushes_ahead = 0; // [emulation] of the workers
};

class chaos_mesh {
public:
  static result<std::unique_ptr<chaos_mesh>> start(const config::job_config& job,
                                                   const chaos_mesh_options& options);

  process_mesh& mesh() { return *mesh_; }
  const std::string& folder() const { return folder_; }
  /// By role, as they are named.
  victims nodes();

  bool goes_through_proxy() const { return proxy_ != nullptr; }
  /// Of connections that go through the proxy.
  push_watch& pushes() { return pushes_; }

  /// Does the fault; returns the process that it hit. Errors: `not_found` (the node has no process
  /// just now), `io_failed`.
  result<pid_t> inject(const fault& f);
  /// Ends it, for the process that it hit.
  result<void> undo(const fault& f, pid_t pid);

private:
  explicit chaos_mesh(std::string folder) : folder_(std::move(folder)) {}
  result<void> start_proxy();
  std::string node_lines(const std::string& name, const chaos_mesh_options& options);
  std::string dialled_at(const std::string& name, const std::string& listens_at);
  supervised_node* find(const std::string& name);

  std::string folder_;
  push_watch pushes_;
  std::unique_ptr<fault_proxy> proxy_; // may be null
  std::unique_ptr<process_mesh> mesh_;
};

} // namespace gradmesh::tools::chaos
