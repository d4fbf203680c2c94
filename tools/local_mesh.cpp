#include "tools/local_mesh.hpp"

#include "tools/mesh_certificates.hpp"

#include <ctime>

namespace gradmesh::tools {
namespace {

constexpr unsigned certificate_days = 30; // a mesh on one machine does not run for longer

} // namespace

std::string lane_lines(config::lane_kind lane, const std::string& prefix) {
  switch (lane) {
  case config::lane_kind::shm:
    return "";
  case config::lane_kind::tcp:
    return "shared_memory = false\n";
  case config::lane_kind::tls: {
    const auto files = tls_files(prefix, {});
    return "shared_memory = false\n[tls]\nca = " + files.ca +
           "\ncertificate = " + files.certificate + "\nkey = " + files.key + "\n";
  }
  }
  return "";
}

result<void> make_certificates(const std::string& folder, const std::vector<std::string>& nodes) {
  const auto now = std::time(nullptr);
  if (auto made = make_authority_files(folder, "gradmesh", certificate_days, now); !made)
    return made.failure();
  using mesh::role;
  const mesh::role_set all{role::coordinator, role::server, role::worker, role::data_server,
                           role::client};
  for (const auto& name : nodes)
    if (auto made = issue_node_files(folder, {name, all, {}, certificate_days}, now); !made)
      return made.failure();
  return {};
}

std::vector<planned_node> plan_nodes(const config::job_config& job,
                                     const std::string& coordinator_at,
                                     const std::string& certificates) {
  const auto common = [](const std::string& name, const char* role) {
    return "[node]\nname = " + name + "\nroles = " + role + "\n";
  };
  const auto lane = [&](const std::string& name) {
    return lane_lines(job.mesh.lane, certificates + "/" + name);
  };
  std::vector<planned_node> nodes;
  nodes.push_back({"coordinator", common("coordinator", "coordinator") +
                                      "listen = " + coordinator_at + "\n" + lane("coordinator")});
  const auto add = [&](const char* role, std::uint32_t count, bool listens) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto name = std::string(role) + "-" + std::to_string(i);
      nodes.push_back({name, common(name, role) + "coordinator = " + coordinator_at + "\n" +
                                 (listens ? "listen = 127.0.0.1:0\n" : "") + lane(name)});
    }
  };
  add("server", job.mesh.servers, true);
  add("data-server", job.mesh.data_servers, true);
  add("worker", job.mesh.workers, false);
  return nodes;
}

} // namespace gradmesh::tools
