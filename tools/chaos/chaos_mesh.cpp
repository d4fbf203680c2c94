#include "tools/chaos/chaos_mesh.hpp"

#include "tools/chaos/socket_owner.hpp"

#include <sys/resource.h>

#include <csignal>

namespace gradmesh::tools::chaos {
namespace {

bool listens(const std::string& name) {
  return !name.starts_with("worker-");
}

conditions while_cut(cut_shape shape) {
  return {.to_held = shape != cut_shape::leaving, .from_held = shape != cut_shape::arriving};
}

/// The size that files of the process may grow to. The hard limit stays, so that this one can be
/// lifted again.
result<void> limit_files(pid_t pid, bool full) {
  rlimit limit{};
  if (prlimit(pid, RLIMIT_FSIZE, nullptr, &limit) == 0) {
    limit.rlim_cur = full ? 0 : limit.rlim_max;
    if (prlimit(pid, RLIMIT_FSIZE, &limit, nullptr) == 0) return {};
  }
  return error{errc::io_failed, "cannot set the limit of files of process " + std::to_string(pid) +
                                    ": " + env::errno_text()};
}

} // namespace

result<std::unique_ptr<chaos_mesh>> chaos_mesh::start(const config::job_config& job,
                                                      const chaos_mesh_options& options) {
  std::unique_ptr<chaos_mesh> made(new chaos_mesh(run_folder(job)));
  auto& m = *made;
  if (options.through_proxy)
    if (auto started = m.start_proxy(); !started) return started.failure();
  auto mesh = process_mesh::start(
      job,
      {.folder = m.folder_,
       .node_lines = [&m, options](const auto& name) { return m.node_lines(name, options); },
       .worker_emulation = "pushes_ahead = " + std::to_string(options.pushes_ahead) + "\n",
       .dialled_at = [&m](const auto& name, const auto& at) { return m.dialled_at(name, at); }});
  if (!mesh) return mesh.failure();
  m.mesh_ = std::move(*mesh);
  return made;
}

result<void> chaos_mesh::start_proxy() {
  auto started = fault_proxy::start(
      [folder = folder_](std::uint16_t from, std::uint16_t to) {
        if (const auto inode = socket_inode(from, to); inode != 0)
          for (const auto& [name, pid] : node_processes(folder))
            if (has_socket(pid, inode)) return name;
        return std::string();
      },
      [this](const std::string& target) { return pushes_.listen(target); });
  if (!started) return started.failure();
  proxy_ = std::move(*started);
  return {};
}

std::string chaos_mesh::node_lines(const std::string& name, const chaos_mesh_options& options) {
  auto lines = "heartbeat_ms = " + std::to_string(options.heartbeat.count()) + "\n";
  if (!proxy_ || !listens(name)) return lines;
  if (const auto door = proxy_->door(name)) lines += "advertise = " + to_string(*door) + "\n";
  return lines;
}

std::string chaos_mesh::dialled_at(const std::string& name, const std::string& listens_at) {
  const auto target = config::parse_endpoint(listens_at);
  const auto door = proxy_ ? proxy_->door(name) : result<config::endpoint>(config::endpoint{});
  if (!proxy_ || !target || !door) return listens_at;
  proxy_->aim(name, *target);
  return to_string(*door);
}

victims chaos_mesh::nodes() {
  victims found;
  for (const auto& node : mesh_->nodes()) {
    const auto& name = node.name();
    auto& role = name.starts_with("server-")        ? found.servers
                 : name.starts_with("data-server-") ? found.data_servers
                 : name.starts_with("worker-")      ? found.workers
                                                    : found.coordinators;
    role.push_back(name);
  }
  return found;
}

supervised_node* chaos_mesh::find(const std::string& name) {
  for (auto& node : mesh_->nodes())
    if (node.name() == name) return &node;
  return nullptr;
}

result<pid_t> chaos_mesh::inject(const fault& f) {
  const auto* node = find(f.node);
  if (!node || !node->is_running())
    return error{errc::not_found, "node '" + f.node + "' has no process"};
  const auto pid = node->pid();
  switch (f.kind) {
  case fault_kind::kill:
    node->signal(SIGKILL);
    break;
  case fault_kind::stop:
    node->signal(SIGSTOP);
    break;
  case fault_kind::partition:
    if (f.shape == cut_shape::broken)
      proxy_->cut(f.node);
    else
      proxy_->set(f.node, while_cut(f.shape));
    break;
  case fault_kind::disk_full:
    if (auto limited = limit_files(pid, true); !limited) return limited.failure();
  }
  return pid;
}

result<void> chaos_mesh::undo(const fault& f, pid_t pid) {
  if (f.kind == fault_kind::partition) proxy_->set(f.node, {});
  const auto* node = find(f.node);
  // One that has died of it is another process by now.
  if (!node || node->pid() != pid || !node->is_running()) return {};
  if (f.kind == fault_kind::stop) node->signal(SIGCONT);
  if (f.kind == fault_kind::disk_full) return limit_files(pid, false);
  return {};
}

} // namespace gradmesh::tools::chaos
