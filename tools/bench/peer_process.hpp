#pragma once

/// The other processes of a benchmark: this very program, started again with an internal verb, that
/// answers each line on its standard input with one line of JSON on its standard output, beginning
/// with one that says it is ready. It ends with its standard input, or with its parent.

#include "actors/error.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace gradmesh::tools::bench {

class peer_process {
public:
  /// `arguments` come after the name of the program. Errors: `io_failed`.
  static result<peer_process> start(const std::vector<std::string>& arguments);
  peer_process(peer_process&& other) noexcept;
  peer_process& operator=(peer_process&&) = delete;
  ~peer_process();

  /// The next line that it says. Errors: `node_lost` (it ended), `timed_out`, and what it says
  /// itself: {"error": "..."}.
  result<nlohmann::json> hear(std::chrono::milliseconds limit);
  /// Says a line to it, which it answers.
  void tell(const std::string& line);
  /// Says a line and hears the answer.
  result<nlohmann::json> ask(const std::string& line, std::chrono::milliseconds limit);
  pid_t pid() const { return pid_; }

private:
  peer_process(pid_t pid, int socket, std::string name)
      : pid_(pid), socket_(socket), name_(std::move(name)) {}

  pid_t pid_;
  int socket_;
  std::string name_;
  std::string heard_; // beyond the last line
};

/// For the process itself: says a line.
void say(const nlohmann::json& line);

} // namespace gradmesh::tools::bench
