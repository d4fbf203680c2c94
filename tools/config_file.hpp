#pragma once

/// A configuration file of either kind: a job or a node, told apart by its sections.

#include "config/loaded.hpp"
#include "tools/exit_code.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::tools {

struct config_file {
  /// `exit_ok`, `exit_invalid_config`, or that of a file that cannot be read.
  exit_code outcome = exit_ok;
  const char* kind = ""; // "job", "node"
  /// Every option; empty when the file is not valid.
  std::vector<config::resolved_option> options;
  std::vector<config::diagnostic> diagnostics;
};

/// A file whose sections are those of neither is refused; one without sections is a job file, in
/// which everything has its default.
config_file load_config_file(const std::string& path, const config::overrides& over);

/// The same for text; `name` stands for the file in diagnostics.
config_file parse_config_file(std::string_view text, const std::string& name,
                              const config::overrides& over);

/// The sample of "job" or of a role; nothing for another kind.
std::optional<std::string> sample_config(std::string_view kind);

} // namespace gradmesh::tools
