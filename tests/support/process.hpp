#pragma once

/// A program that a system test runs, with a deadline on everything. Its end is part of the
/// destructor: a test that fails leaves nothing behind.

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace gradmesh::testing {

class process {
public:
  /// Starts a program with standard output and error in pipes. `environment`: NAME=VALUE, added.
  explicit process(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {});
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process();

  pid_t pid() const { return pid_; }
  void signal(int number) const;

  /// Reads until `text` stands in the output (of both kinds together). False if the program ends or
  /// the time is over before.
  bool wait_for(const std::string& text, std::chrono::milliseconds limit);
  /// Reads to the end. Returns the exit status, 128 + signal, or -1 if the time is over.
  int wait_end(std::chrono::milliseconds limit);

  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }
  std::string all() const { return out_ + err_; }

private:
  bool read_some(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  std::string out_;
  std::string err_;
  int status_ = -1;
  bool reaped_ = false;
};

/// The running children of a process.
std::vector<pid_t> children_of(pid_t parent);
bool is_running(pid_t pid);

/// Waits until none of them runs any more, at most for `limit`.
bool all_end(const std::vector<pid_t>& pids, std::chrono::milliseconds limit);

} // namespace gradmesh::testing
