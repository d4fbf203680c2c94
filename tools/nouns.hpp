#pragma once

/// Small parts that several verbs share: a verb that has nouns (`gradmesh config check`), and usage
/// errors that Boost.Program_options cannot see.

#include "tools/exit_code.hpp"

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::tools {

struct noun {
  const char* name;
  const char* summary;
  /// Arguments after the noun.
  exit_code (*run)(const std::vector<std::string>& arguments);
};

/// Runs the noun that the arguments begin with. `--help` lists them on standard output; anything
/// else is a usage error that lists them on standard error.
exit_code run_noun(const char* verb, std::span<const noun> nouns,
                   const std::vector<std::string>& arguments);

/// Prints "gradmesh VERB: error: TEXT" to standard error and returns `exit_usage`.
exit_code usage_error(const std::string& verb, const std::string& text);

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> accepted);

} // namespace gradmesh::tools
