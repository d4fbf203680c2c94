#include "tests/support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace gradmesh::testing {
namespace {

using clock = std::chrono::steady_clock;

int milliseconds_until(clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

/// State and parent of a process, from /proc; state 0 if there is none.
struct process_status {
  char state = 0;
  pid_t parent = 0;
};
process_status status_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return {};
  // The name, in parentheses, may hold anything.
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  process_status status;
  rest >> status.state >> status.parent;
  return status;
}

} // namespace

process::process(const std::vector<std::string>& arguments,
                 const std::vector<std::string>& environment) {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) return;
  std::vector<char*> argv;
  for (const auto& a : arguments)
    argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    for (const auto& e : environment)
      putenv(const_cast<char*>(e.c_str()));
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  out_fd_ = out[0];
  err_fd_ = err[0];
}

process::~process() {
  if (pid_ > 0 && !reaped_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (out_fd_ >= 0) close(out_fd_);
  if (err_fd_ >= 0) close(err_fd_);
}

void process::signal(int number) const {
  kill(pid_, number);
}

bool process::read_some(clock::time_point deadline) {
  pollfd fds[2] = {{out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0}};
  const int ready = poll(fds, 2, milliseconds_until(deadline));
  if (ready < 0) return errno == EINTR;
  if (ready == 0) return false;
  const auto take = [](pollfd& fd, int& own, std::string& to) {
    if (fd.fd < 0 || fd.revents == 0) return;
    char buffer[4096];
    const auto got = read(fd.fd, buffer, sizeof buffer);
    if (got > 0) {
      to.append(buffer, static_cast<std::size_t>(got));
    } else {
      close(own);
      own = -1;
    }
  };
  take(fds[0], out_fd_, out_);
  take(fds[1], err_fd_, err_);
  return out_fd_ >= 0 || err_fd_ >= 0;
}

bool process::wait_for(const std::string& text, std::chrono::milliseconds limit) {
  const auto deadline = clock::now() + limit;
  const auto seen = [&] {
    return out_.find(text) != std::string::npos || err_.find(text) != std::string::npos;
  };
  while (!seen())
    if (!read_some(deadline)) return seen();
  return true;
}

int process::wait_end(std::chrono::milliseconds limit) {
  const auto deadline = clock::now() + limit;
  while (read_some(deadline)) {
  }
  if (!reaped_) {
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) != pid_) {
      if (clock::now() >= deadline) return -1;
      poll(nullptr, 0, 5);
    }
    reaped_ = true;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return status_;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto pid = static_cast<pid_t>(std::stol(name));
    if (status_of(pid).parent == parent) children.push_back(pid);
  }
  return children;
}

bool is_running(pid_t pid) {
  const auto state = status_of(pid).state;
  return state != 0 && state != 'Z';
}

bool all_end(const std::vector<pid_t>& pids, std::chrono::milliseconds limit) {
  const auto deadline = clock::now() + limit;
  while (std::any_of(pids.begin(), pids.end(), is_running)) {
    if (clock::now() >= deadline) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

} // namespace gradmesh::testing
