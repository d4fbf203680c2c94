#pragma once

/// Command-line options of the verbs, by Boost.Program_options, with `--help` for each.

#include "config/loaded.hpp"
#include "tools/exit_code.hpp"

#include <boost/program_options.hpp>

#include <functional>
#include <string>
#include <vector>

namespace gradmesh::tools {

namespace po = boost::program_options;

struct verb_options {
  std::string usage;       // "gradmesh run JOB.ini [options]"
  std::string description; // a few lines
  po::options_description named{"Options"};
  std::vector<std::string> positional; // names of the positional arguments, in order
  std::size_t required = 0;            // how many of them have to be given
  bool repeated = false; // the last takes all that are left: a std::vector<std::string>
};

/// Parses the arguments and runs `body` with the values. Handles --help (to standard output, exit
/// 0) and wrong usage (what is wrong, and the usage line, to standard error, exit 2).
exit_code with_options(verb_options options, const std::vector<std::string>& arguments,
                       const std::function<exit_code(const po::variables_map&)>& body);

/// --set SECTION.KEY=VALUE, for the verbs that read a job or node file.
void add_set_option(po::options_description& options);
/// What --set and the environment say, for the loaders of such files.
config::overrides overrides_of(const po::variables_map& values);

/// Prints "gradmesh VERB: error: TEXT" to standard error and returns the code's exit code.
exit_code report_failure(const std::string& verb, const error& why);

} // namespace gradmesh::tools
