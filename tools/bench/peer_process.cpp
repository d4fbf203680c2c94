#include "tools/bench/peer_process.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <utility>

namespace gradmesh::tools::bench {
namespace {

using clock = std::chrono::steady_clock;

error system_error(const std::string& what) {
  return {errc::io_failed, what + ": " + std::strerror(errno)};
}

/// What the child does between fork and exec: only what is allowed there.
[[noreturn]] void become(char* const* arguments, int socket, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  if (getppid() != parent) _exit(127);
  dup2(socket, STDIN_FILENO);
  dup2(socket, STDOUT_FILENO);
  execv("/proc/self/exe", arguments);
  _exit(127);
}

} // namespace

result<peer_process> peer_process::start(const std::vector<std::string>& arguments) {
  int ends[2];
  // Sockets and not pipes: writing to a process that has ended is an error, not a signal.
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return system_error("cannot make a socket pair");
  std::vector<char*> texts{const_cast<char*>("gradmesh")};
  std::string name = "gradmesh";
  for (const auto& argument : arguments) {
    texts.push_back(const_cast<char*>(argument.c_str()));
    name += ' ' + argument;
  }
  texts.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become(texts.data(), ends[1], parent);
  const int fork_errno = errno;
  close(ends[1]);
  peer_process process(pid, ends[0], std::move(name));
  if (pid < 0) {
    errno = fork_errno;
    return system_error("cannot start " + process.name_);
  }
  return process;
}

peer_process::peer_process(peer_process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), socket_(std::exchange(other.socket_, -1)),
      name_(std::move(other.name_)), heard_(std::move(other.heard_)) {}

peer_process::~peer_process() {
  if (socket_ >= 0) close(socket_);
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL); // it has nothing to put in order
  waitpid(pid_, nullptr, 0);
}

result<nlohmann::json> peer_process::hear(std::chrono::milliseconds limit) {
  const auto deadline = clock::now() + limit;
  for (;;) {
    if (const auto end = heard_.find('\n'); end != heard_.npos) {
      const auto line = nlohmann::json::parse(heard_.substr(0, end), nullptr, false);
      heard_.erase(0, end + 1);
      if (line.is_discarded())
        return error{errc::malformed_data, name_ + " said something that is not JSON"};
      if (line.contains("error")) return error{errc::node_lost, line["error"].get<std::string>()};
      return line;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
    pollfd fd{socket_, POLLIN, 0};
    const int ready = left.count() > 0 ? poll(&fd, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      return error{errc::timed_out,
                   name_ + " said nothing for " + std::to_string(limit.count()) + " ms"};
    char some[4096];
    const auto got = read(socket_, some, sizeof some);
    if (got <= 0) return error{errc::node_lost, name_ + " has ended; see what it said above"};
    heard_.append(some, static_cast<std::size_t>(got));
  }
}

void peer_process::tell(const std::string& line) {
  const auto text = line + '\n';
  // Lines are short, and a process that has ended shows when we listen.
  (void)send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
}

result<nlohmann::json> peer_process::ask(const std::string& line, std::chrono::milliseconds limit) {
  tell(line);
  return hear(limit);
}

void say(const nlohmann::json& line) {
  std::cout << line.dump() << std::endl;
}

} // namespace gradmesh::tools::bench
