#pragma once

/// A node of a local mesh that is started again when its process dies, with the same file, the same
/// state folder and the same port.

#include "tools/local_mesh.hpp"
#include "tools/node_process.hpp"
#include "tools/restart_policy.hpp"

#include <optional>
#include <string>

namespace gradmesh::tools {

class supervised_node {
public:
  /// Its file and its log stand in `folder`, which exists.
  supervised_node(planned_node plan, const std::string& folder, restart_policy policy);

  /// Writes the node's file and starts the process. Errors: `io_failed`.
  result<void> start(env::disk& disk);
  /// Waits until the node listens; returns where ("" for one that does not), and makes it listen
  /// there whenever it is started again. Errors: those of node_process, with the last log lines.
  result<std::string> wait_ready(env::disk& disk, std::chrono::milliseconds limit);

  const std::string& name() const { return plan_.name; }
  pid_t pid() const { return process_ ? process_->pid() : -1; }
  /// As far as `look_after` has seen.
  bool is_running() const { return process_ && !due_ && !given_up_ && !left_; }
  void signal(int number) const;
  bool wait_end(std::chrono::milliseconds limit);

  /// What has happened since the last call, in a line: it died, was started again, was given up.
  std::optional<std::string> look_after(std::chrono::steady_clock::time_point now);
  /// Started again so many times.
  std::uint32_t restarts() const { return restarts_; }
  /// Died too often: it stays dead.
  bool given_up() const { return given_up_; }
  /// Told to end, which it did.
  bool has_left() const { return left_; }
  /// When and how its process ended last, with its last log lines then.
  struct death {
    std::chrono::steady_clock::time_point when;
    std::string words;
  };
  const std::optional<death>& last_death() const { return last_death_; }

private:
  std::string last_words(const std::string& how) const;
  std::string on_end(const std::string& how, std::chrono::steady_clock::time_point now);
  std::string start_again();
  node_process_options options() const;

  planned_node plan_;
  std::string folder_;
  restart_policy policy_;
  std::optional<node_process> process_;
  std::optional<std::chrono::steady_clock::time_point> due_; // dead, to be started then
  std::optional<death> last_death_;
  std::uint32_t restarts_ = 0;
  bool given_up_ = false;
  bool left_ = false;
};

} // namespace gradmesh::tools
