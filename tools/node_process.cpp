#include "tools/node_process.hpp"

#include "tools/exit_code.hpp"
#include "tools/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <fstream>
#include <utility>

namespace gradmesh::tools {
namespace {

constexpr std::chrono::milliseconds poll_interval{10};

error system_error(const std::string& what) {
  return {errc::io_failed, what + ": " + std::strerror(errno)};
}

/// What the child does between fork and exec: only what is allowed there.
[[noreturn]] void become_node(const char* const* arguments, int log_fd, pid_t parent) {
  // Not SIGTERM, which a process that is stopped does not see.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  if (getppid() != parent) _exit(127);
  // A group of its own, so that Ctrl-C reaches the parent alone, which ends its nodes in order.
  setpgid(0, 0);
  dup2(log_fd, STDOUT_FILENO);
  dup2(log_fd, STDERR_FILENO);
  execv("/proc/self/exe", const_cast<char* const*>(arguments));
  _exit(127);
}

} // namespace

result<node_process> node_process::start(const node_process_options& options) {
  const int start = options.again ? O_APPEND : O_TRUNC;
  const int log_fd = open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | start, 0644);
  if (log_fd < 0) return system_error("cannot write " + options.log_file);
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) {
    close(log_fd);
    return system_error("cannot make a pipe");
  }
  // The node's end must survive exec; no other child inherits it because it is closed below.
  fcntl(ready[1], F_SETFD, 0);
  const auto ready_number = std::to_string(ready[1]);
  const char* const arguments[] = {
      "gradmesh", "node", options.config_file.c_str(), "--ready-fd", ready_number.c_str(), nullptr};
  const pid_t parent = getpid();
  node_process process(options);
  process.pid_ = fork();
  if (process.pid_ == 0) become_node(arguments, log_fd, parent);
  const int fork_errno = errno;
  close(log_fd);
  close(ready[1]);
  if (process.pid_ < 0) {
    close(ready[0]);
    errno = fork_errno;
    return system_error("cannot start a process for node '" + options.name + "'");
  }
  process.ready_fd_ = ready[0];
  return process;
}

node_process::node_process(node_process&& other) noexcept
    : options_(std::move(other.options_)), pid_(std::exchange(other.pid_, -1)),
      ready_fd_(std::exchange(other.ready_fd_, -1)), status_(other.status_) {}

node_process::~node_process() {
  if (ready_fd_ >= 0) close(ready_fd_);
  if (pid_ < 0 || status_) return;
  signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

result<std::string> node_process::wait_ready(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string line;
  while (line.empty() || line.back() != '\n') {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd fd{ready_fd_, POLLIN, 0};
    const int ready = left.count() > 0 ? poll(&fd, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) {
      if (interrupted()) return error{errc::cancelled, "interrupted"};
      continue;
    }
    if (ready <= 0)
      return error{errc::timed_out, "node '" + options_.name + "' was not ready within " +
                                        std::to_string(limit.count()) + " ms; its log is " +
                                        options_.log_file};
    char c = 0;
    const auto got = read(ready_fd_, &c, 1);
    if (got <= 0) {
      (void)wait_end(std::chrono::seconds(5));
      return error{errc::node_lost, "node '" + options_.name + "' ended before it was ready (" +
                                        ended().value_or("no status") + ")"};
    }
    line += c;
  }
  line.pop_back();
  return line;
}

std::optional<std::string> node_process::ended() {
  if (!status_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    status_ = status;
  }
  if (WIFSIGNALED(*status_))
    return "killed by signal " + std::to_string(WTERMSIG(*status_)) + " (" +
           strsignal(WTERMSIG(*status_)) + ")";
  return "exit status " + std::to_string(WEXITSTATUS(*status_));
}

bool node_process::ended_as_told() const {
  return status_ && WIFEXITED(*status_) &&
         (WEXITSTATUS(*status_) == exit_ok || WEXITSTATUS(*status_) == exit_interrupted);
}

bool node_process::wait_end(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!ended()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    poll(nullptr, 0, static_cast<int>(poll_interval.count()));
  }
  return true;
}

void node_process::signal(int number) const {
  if (pid_ > 0 && !status_) kill(pid_, number);
}

std::string node_process::last_log_lines(std::size_t count) const {
  std::ifstream log(options_.log_file);
  std::deque<std::string> lines;
  for (std::string line; std::getline(log, line);) {
    lines.push_back(line);
    if (lines.size() > count) lines.pop_front();
  }
  std::string text;
  for (const auto& line : lines)
    text += "  " + line + "\n";
  return text;
}

} // namespace gradmesh::tools
