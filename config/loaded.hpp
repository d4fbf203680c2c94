#pragma once

/// What loading a configuration gives, where each value came from, and what overrides a file.
/// Precedence, lowest first: default, file, environment, command line.

#include "config/diagnostic.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gradmesh::config {

/// Values from outside the file. The library never reads the process environment by itself: the
/// tools pass it in (config/environment.hpp).
struct overrides {
  /// Variable name -> value. `GRADMESH_<SECTION>_<KEY>` in upper case, dashes as underscores. Names
  /// that match no option are ignored: container platforms inject variables of their own under such
  /// names (a Kubernetes service "gradmesh-server" gives GRADMESH_SERVER_SERVICE_HOST).
  std::map<std::string, std::string> environment;
  /// "section.key=value", as given to --set. The last of several for one key counts.
  std::vector<std::string> command_line;
};

struct origin {
  enum class kind : std::uint8_t { default_value, file, environment, command_line };

  kind from = kind::default_value;
  std::string name;     // path, or name of the variable
  std::size_t line = 0; // file only
};

/// "default", "job.ini:12", "environment GRADMESH_JOB_EPOCHS", "command line".
std::string to_string(const origin& o);

/// One option of a loaded configuration.
struct resolved_option {
  std::string section;
  std::string key;
  std::string value; // canonical text
  origin from;
};

/// `value` is present exactly when `diagnostics` is empty. `options` holds every option, in the
/// order of the table, and is empty when there is no value.
template <class T>
struct loaded {
  std::optional<T> value;
  std::vector<resolved_option> options;
  std::vector<diagnostic> diagnostics;

  explicit operator bool() const { return value.has_value(); }
};

/// INI text that parses back to the same values. With origins, each line ends in a comment that
/// names where the value came from.
std::string dump_ini(const std::vector<resolved_option>& options, bool with_origin = false);

} // namespace gradmesh::config
