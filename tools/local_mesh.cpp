#include "tools/local_mesh.hpp"

#include "tools/mesh_certificates.hpp"

#include <fmt/format.h>

#include <ctime>

namespace gradmesh::tools {
namespace {

constexpr unsigned certificate_days = 30; // a mesh on one machine does not run for longer

std::string worker_name(std::uint32_t number) {
  return "worker-" + std::to_string(number);
}

/// Ranks go by the names of nodes, among which worker-10 comes before worker-2.
std::uint32_t rank_of(const std::string& worker, std::uint32_t workers) {
  std::uint32_t before = 0;
  for (std::uint32_t i = 0; i < workers; ++i)
    before += worker_name(i) < worker ? 1 : 0;
  return before;
}

/// What a node file says to make an experiment's node slow.
std::string emulation_lines(const config::job_config& job, const std::string& name,
                            const mesh_plan& plan) {
  const auto& wanted = job.emulation;
  std::string lines = "[emulation]\nlink_delay_ms = " + std::to_string(wanted.link_delay.count()) +
                      "\nstep_time_ms = " + std::to_string(wanted.step_time.count()) + "\n";
  if (!name.starts_with("worker-")) return lines;
  lines += plan.worker_emulation;
  for (const auto& slow : wanted.slow_workers)
    if (slow.rank == rank_of(name, job.mesh.workers))
      lines += fmt::format("slowdown = {}\nslow_part = {}\n", slow.factor, wanted.slow_part);
  return lines;
}

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

std::vector<planned_node> plan_nodes(const config::job_config& job, const mesh_plan& plan) {
  const auto common = [&](const std::string& name, const char* role) {
    return "[node]\nname = " + name + "\nroles = " + role + "\n" +
           (plan.state_folder.empty() ? ""
                                      : "state_folder = " + plan.state_folder + "/" + name + "\n") +
           (plan.node_lines ? plan.node_lines(name) : "");
  };
  const auto lane = [&](const std::string& name) {
    return lane_lines(job.mesh.lane, plan.certificates + "/" + name);
  };
  std::vector<planned_node> nodes;
  nodes.push_back({"coordinator", common("coordinator", "coordinator") +
                                      "listen = " + to_string(job.mesh.listen) + "\n" +
                                      lane("coordinator") + emulation_lines(job, {}, plan)});
  const auto add = [&](const char* role, std::uint32_t count, bool listens) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto name = std::string(role) + "-" + std::to_string(i);
      nodes.push_back({name, common(name, role) + "coordinator = " + plan.coordinator_at + "\n" +
                                 (listens ? "listen = 127.0.0.1:0\n" : "") + lane(name) +
                                 emulation_lines(job, name, plan)});
    }
  };
  add("server", job.mesh.servers, true);
  add("data-server", job.mesh.data_servers, true);
  add("worker", job.mesh.workers, false);
  return nodes;
}

} // namespace gradmesh::tools
