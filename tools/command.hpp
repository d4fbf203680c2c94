#pragma once

/// A verb of the `gradmesh` program.

#include "tools/exit_code.hpp"

#include <span>
#include <string>
#include <vector>

namespace gradmesh::tools {

struct command {
  const char* verb;
  const char* summary; // one line for `gradmesh help`
  /// Arguments after the verb. Results go to standard output, everything else to standard error.
  exit_code (*run)(const std::vector<std::string>& arguments);
};

exit_code run_command(const std::vector<std::string>& arguments);
exit_code node_command(const std::vector<std::string>& arguments);
exit_code submit_command(const std::vector<std::string>& arguments);
exit_code change_command(const std::vector<std::string>& arguments);
exit_code drain_command(const std::vector<std::string>& arguments);
exit_code cancel_command(const std::vector<std::string>& arguments);
exit_code status_command(const std::vector<std::string>& arguments);
exit_code eval_command(const std::vector<std::string>& arguments);
exit_code data_command(const std::vector<std::string>& arguments);
exit_code lab_command(const std::vector<std::string>& arguments);
exit_code sim_command(const std::vector<std::string>& arguments);
exit_code verify_command(const std::vector<std::string>& arguments);
exit_code replay_command(const std::vector<std::string>& arguments);
exit_code checkpoint_command(const std::vector<std::string>& arguments);
exit_code bench_command(const std::vector<std::string>& arguments);
exit_code chaos_command(const std::vector<std::string>& arguments);
exit_code config_command(const std::vector<std::string>& arguments);
exit_code tls_command(const std::vector<std::string>& arguments);

} // namespace gradmesh::tools
