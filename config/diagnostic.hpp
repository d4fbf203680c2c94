#pragma once

/// What is wrong with a configuration, and where. Every fault of a file is one `diagnostic`; a
/// loader returns all of them at once. Rendered the way compilers do, so that editors jump to the
/// line: `node.ini:12: error: server.port: 'abc' is not a port number (1..65535)`.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::config {

struct diagnostic {
  /// Where the text came from: a path, "environment GRADMESH_JOB_EPOCHS", or "command line".
  std::string file;
  /// From 1; 0 when the fault belongs to no line (a missing key, an environment variable).
  std::size_t line = 0;
  std::string text;

  bool operator==(const diagnostic&) const = default;
};

/// One line without a line end.
std::string to_string(const diagnostic& d);

/// One line each, each with its line end.
std::string to_string(const std::vector<diagnostic>& all);

/// The text with control characters as \xNN, so that it stays on one line and cannot steer a
/// terminal.
std::string printable(std::string_view text);

/// Text from a user or peer as a message shows it: printable, in single quotes, cut to 80 bytes (at
/// a UTF-8 boundary).
std::string quoted(std::string_view text);

} // namespace gradmesh::config
