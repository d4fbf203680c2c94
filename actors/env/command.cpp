#include "actors/env/command.hpp"

#include "actors/env/descriptor.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;

namespace gradmesh::env {
namespace {

/// How much of stderr an error carries.
constexpr std::size_t complaint_bytes_max = 2048;

struct pipe_ends {
  descriptor read;
  descriptor write;
};

result<pipe_ends> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0)
    return {errc::io_failed, "cannot make a pipe: " + errno_text()};
  return pipe_ends{descriptor(fds[0]), descriptor(fds[1])};
}

/// A running program; ends it when it has not been waited for.
class child {
public:
  explicit child(pid_t pid) : pid_(pid) {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  /// The status as waitpid(2) gives it; -1 when there is none.
  int wait() {
    int status = -1;
    while (::waitpid(pid_, &status, 0) < 0)
      if (errno != EINTR) {
        status = -1;
        break;
      }
    pid_ = -1;
    return status;
  }

private:
  pid_t pid_;
};

/// Starts the program with stdin from /dev/null; returns its pid.
result<pid_t> spawn(const std::vector<std::string>& arguments, int out, int err) {
  std::vector<char*> argv;
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t pid = -1;
  const int code = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return {errc::not_found, "cannot run '" + arguments[0] + "': " + errno_text(code)};
  return pid;
}

struct printed {
  std::string out;
  std::string err; // its last part
};

/// Reads both streams until the program has closed them. One alone could block it on the other.
result<printed> read_both(descriptor out, descriptor err, const std::string& name,
                          std::uint64_t bytes_max) {
  printed text;
  std::array<pollfd, 2> streams{{{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}}};
  std::vector<char> buffer(std::size_t{1} << 16);
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    const int ready = ::poll(streams.data(), streams.size(), command_silence_ms_max);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return {errc::io_failed, "cannot read from '" + name + "': " + errno_text()};
    if (ready == 0)
      return {errc::timed_out, "'" + name + "' printed nothing for " +
                                   std::to_string(command_silence_ms_max / 1000) +
                                   " s and was ended"};
    for (auto& stream : streams) {
      if (stream.fd < 0 || stream.revents == 0) continue;
      const ssize_t count = ::read(stream.fd, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        stream.fd = -1; // poll skips it from now on
        continue;
      }
      std::string& target = &stream == &streams[0] ? text.out : text.err;
      target.append(buffer.data(), static_cast<std::size_t>(count));
      if (text.err.size() > complaint_bytes_max)
        text.err.erase(0, text.err.size() - complaint_bytes_max);
      if (text.out.size() > bytes_max)
        return {errc::limit_exceeded, "'" + name + "' printed more than the limit of " +
                                          std::to_string(bytes_max) + " bytes and was ended"};
    }
  }
  return text;
}

std::string describe(int status) {
  if (WIFEXITED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return "ended without a status";
}

} // namespace

result<std::string> run_command(const std::vector<std::string>& arguments,
                                std::uint64_t bytes_max) {
  if (arguments.empty()) return {errc::invalid_argument, "cannot run a command without a name"};
  auto out = make_pipe();
  if (!out) return out.failure();
  auto err = make_pipe();
  if (!err) return err.failure();
  auto pid = spawn(arguments, out->write.get(), err->write.get());
  if (!pid) return pid.failure();
  child program(*pid);

  // Ours would keep the pipes open after the program's own end.
  out->write.close();
  err->write.close();
  auto text = read_both(std::move(out->read), std::move(err->read), arguments[0], bytes_max);
  if (!text) return text.failure();
  const int status = program.wait();
  if (status != 0) {
    std::string what = "'" + arguments[0] + "' " + describe(status);
    if (!text->err.empty()) what += "; it said: " + text->err;
    return {errc::io_failed, what};
  }
  return std::move(text->out);
}

} // namespace gradmesh::env
