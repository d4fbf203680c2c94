#pragma once

/// One child process that runs `gradmesh node`. It cannot outlive its parent: the kernel ends it
/// when the parent dies, however that happens.

#include "actors/error.hpp"

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

namespace gradmesh::tools {

struct node_process_options {
  std::string name;
  std::string config_file; // of the node
  std::string log_file;    // standard output and error go there
  bool again = false;      // the log goes on where it ends
};

class node_process {
public:
  /// Starts this very program again. Errors: `io_failed`.
  static result<node_process> start(const node_process_options& options);
  node_process(node_process&& other) noexcept;
  node_process& operator=(node_process&&) = delete;
  ~node_process(); // ends it

  const std::string& name() const { return options_.name; }
  pid_t pid() const { return pid_; }

  /// Waits until the node listens; returns where ("" for a node that does not listen).
  /// Errors: it ended before, or is not ready within `limit`.
  result<std::string> wait_ready(std::chrono::milliseconds limit);
  /// How it ended, in words, if it has ended: "exit status 3", "killed by signal 9 (Killed)".
  std::optional<std::string> ended();
  /// It was told to end, by the mesh or by SIGTERM, and did; once `ended` has said that it has.
  bool ended_as_told() const;
  /// Waits for its end. False if it has not ended by then.
  bool wait_end(std::chrono::milliseconds limit);
  void signal(int number) const;
  /// The end of its log.
  std::string last_log_lines(std::size_t count) const;

private:
  explicit node_process(node_process_options options) : options_(std::move(options)) {}

  node_process_options options_;
  pid_t pid_ = -1;
  int ready_fd_ = -1;
  std::optional<int> status_; // of waitpid
};

} // namespace gradmesh::tools
