#include "tools/command.hpp"

#include "tools/mesh_client.hpp"
#include "tools/options.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

exit_code drain(const std::string& node, const mesh_access& access) {
  auto client = mesh_client::connect(env::real_environment(env::no_log(), {}), access);
  if (!client) return report_failure("drain", client.failure());
  const auto replicas = (*client)->drain(node);
  if (!replicas) return report_failure("drain", replicas.failure());
  if (*replicas == 0)
    std::cout << "node '" << node
              << "' leaves the job; it can be stopped when `gradmesh status` "
                 "shows its services idle\n";
  else
    std::cout << "node '" << node << "' leaves the job; " << *replicas
              << " copies of shards move to other servers first. It can be stopped when `gradmesh "
                 "status` shows its services idle\n";
  return exit_ok;
}

} // namespace

exit_code drain_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh drain NODE --coordinator HOST:PORT",
      .description =
          "Takes a node out of the running job, so that it can be stopped: its copies of shards\n"
          "move to other servers, its workers and data servers leave. Nothing is lost, and "
          "nothing\n"
          "stops meanwhile. The node stays a member of the mesh, and has no part in this job.",
      .positional = {"node"},
      .required = 1};
  add_access_options(options.named);
  return with_options(options, arguments, [](const po::variables_map& values) {
    const auto access = access_of(values);
    if (!access) {
      (void)report_failure("drain", access.failure());
      return exit_usage;
    }
    return drain(values["node"].as<std::string>(), *access);
  });
}

} // namespace gradmesh::tools
