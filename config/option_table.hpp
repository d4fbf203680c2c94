#pragma once

/// A table of options, and the resolution of a configuration against it: file text, environment and
/// command line in, one checked value and its origin for each option out. The table drives parsing,
/// validation, defaults, help, dump and sample; nothing about an option is said anywhere else.
///
/// Each single value goes through Boost.Program_options (`po::store`, one key at a time); what
/// Boost does not have (line numbers, all faults at once, origins, suggestions) is here.
///
/// Failure: unknown sections and keys, repeated keys and refused values are diagnostics, in the
/// order file (by line), environment, command line.

#include "actors/error.hpp"
#include "config/loaded.hpp"

#include <any>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::config {

struct option {
  std::string section;
  std::string key;
  std::string accepts; // what it holds, in words
  std::string default_text;
  std::string help;
  std::function<result<std::any>(const std::string&)> parse;

  std::string name() const { return section + '.' + key; }
};

struct section_help {
  std::string name;
  std::string help;
};

/// A checked value and where it came from.
struct setting {
  std::any value;
  origin from;
};

struct resolution {
  std::vector<setting> settings; // parallel to options()
  std::vector<diagnostic> diagnostics;
};

class option_table {
public:
  void add_section(std::string name, std::string help);
  /// `o.section` must be the last one added.
  void add(option o);

  const std::vector<section_help>& sections() const { return sections_; }
  const std::vector<option>& options() const { return options_; }

  /// The setting of an option that has diagnostics is that of the next lower precedence.
  resolution resolve(std::string_view text, const std::string& name, const overrides& over) const;

  /// Position in options() of "section.key".
  std::optional<std::size_t> find(std::string_view name) const;

  /// "; did you mean 'server.port'?", or empty when nothing is near.
  std::string suggest(std::string_view section, std::string_view key) const;

private:
  std::vector<section_help> sections_;
  std::vector<option> options_;
};

/// The variable that overrides an option: "GRADMESH_NODE_LOG_LEVEL" for
/// ("node", "log_level").
std::string environment_name(std::string_view section, std::string_view key);

} // namespace gradmesh::config
