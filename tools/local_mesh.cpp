#include "tools/local_mesh.hpp"

namespace gradmesh::tools {

std::vector<planned_node> plan_nodes(const config::job_config& job, const std::string& cluster,
                                     const std::string& coordinator_at) {
  const auto common = [&](const std::string& name, const char* role) {
    return "[node]\nname = " + name + "\nroles = " + role + "\ncluster = " + cluster + "\n";
  };
  std::vector<planned_node> nodes;
  nodes.push_back(
      {"coordinator", common("coordinator", "coordinator") + "listen = " + coordinator_at + "\n"});
  const auto add = [&](const char* role, std::uint32_t count, bool listens) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto name = std::string(role) + "-" + std::to_string(i);
      nodes.push_back({name, common(name, role) + "coordinator = " + coordinator_at + "\n" +
                                 (listens ? "listen = 127.0.0.1:0\n" : "")});
    }
  };
  add("server", job.mesh.servers, true);
  add("data-server", job.mesh.data_servers, true);
  add("worker", job.mesh.workers, false);
  return nodes;
}

} // namespace gradmesh::tools
