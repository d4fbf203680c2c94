#include "tools/bench/push_pull_worker.hpp"
#include "tools/command.hpp"

#include <iostream>

namespace gradmesh::tools {

exit_code bench_command(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "push-pull-worker")
    return bench::push_pull_worker({arguments.begin() + 1, arguments.end()});
  std::cerr << "TODO\n";
  return exit_usage;
}

} // namespace gradmesh::tools
