#include "tools/process_mesh.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace gradmesh::tools {
namespace {

constexpr std::chrono::milliseconds ready_limit{20'000};
constexpr std::chrono::milliseconds end_limit{5'000};
/// A death longer ago than this was survived, and is not why a job fails now.
constexpr std::chrono::seconds recent{10};
constexpr std::size_t folder_name_bytes_max = 64;
constexpr const char* client_name = "client";

} // namespace

result<std::unique_ptr<process_mesh>> process_mesh::start(const config::job_config& job,
                                                          process_mesh_options options) {
  std::unique_ptr<process_mesh> mesh(new process_mesh(job, std::move(options)));
  if (auto started = mesh->start_all(job); !started) return started.failure();
  return mesh;
}

process_mesh::process_mesh(const config::job_config& job, process_mesh_options options)
    : environment_(env::real_environment(env::no_log(), {})), options_(std::move(options)),
      policy_(job.mesh.restarts, job.mesh.restart_window) {}

process_mesh::~process_mesh() {
  // Nobody has told those that still run to end.
  for (const auto& node : nodes_)
    node.signal(SIGTERM);
  stop();
}

result<void> process_mesh::start_all(const config::job_config& job) {
  if (auto made = environment_.disk->create_directories(options_.folder); !made) return made;
  if (auto made = make_certificates_for(job); !made) return made;
  mesh_plan plan{.coordinator_at = {},
                 .certificates = options_.folder + "/certificates",
                 .state_folder = state_folder(),
                 .node_lines = options_.node_lines,
                 .worker_emulation = options_.worker_emulation};
  // The coordinator's port is known only when it listens.
  if (auto launched = launch(plan_nodes(job, plan).front()); !launched) return launched;
  const auto at = nodes_.back().wait_ready(*environment_.disk, ready_limit);
  if (!at) return at.failure();
  const auto endpoint = config::parse_endpoint(*at);
  if (!endpoint) return endpoint.failure();
  access_.coordinator = *endpoint;
  const auto dialled_at = [&](const std::string& name, const std::string& listens_at) {
    return options_.dialled_at ? options_.dialled_at(name, listens_at) : listens_at;
  };
  plan.coordinator_at = dialled_at(nodes_.back().name(), *at);
  const auto planned = plan_nodes(job, plan);
  for (std::size_t i = 1; i < planned.size(); ++i)
    if (auto launched = launch(planned[i]); !launched) return launched;
  for (auto& node : nodes_) {
    if (&node == &nodes_.front()) continue;
    const auto ready = node.wait_ready(*environment_.disk, ready_limit);
    if (!ready) return ready.failure();
    if (!ready->empty()) (void)dialled_at(node.name(), *ready);
  }
  return {};
}

result<void> process_mesh::make_certificates_for(const config::job_config& job) {
  if (job.mesh.lane != config::lane_kind::tls) return {};
  const auto folder = options_.folder + "/certificates";
  std::vector<std::string> names{client_name};
  for (const auto& node : plan_nodes(job, {}))
    names.push_back(node.name);
  access_.tls = tls_files(folder + "/" + client_name, access_.cluster);
  return make_certificates(folder, names);
}

result<void> process_mesh::launch(const planned_node& node) {
  nodes_.emplace_back(node, options_.folder, policy_);
  return nodes_.back().start(*environment_.disk);
}

std::string process_mesh::description() const {
  return "coordinator at " + to_string(access_.coordinator) + ", node files and logs in " +
         options_.folder;
}

std::vector<std::string> process_mesh::look_after() {
  std::vector<std::string> news;
  for (auto& node : nodes_)
    if (auto line = node.look_after(std::chrono::steady_clock::now()))
      news.push_back(std::move(*line));
  return news;
}

std::uint32_t process_mesh::restarts() const {
  std::uint32_t restarts = 0;
  for (const auto& node : nodes_)
    restarts += node.restarts();
  return restarts;
}

std::optional<std::string> process_mesh::end() {
  const auto& coordinator = nodes_.front();
  if (!coordinator.given_up() && !coordinator.has_left()) return std::nullopt;
  return coordinator.last_death()->words;
}

std::optional<std::string> process_mesh::casualty() {
  const auto now = std::chrono::steady_clock::now();
  const supervised_node* first = nullptr;
  for (const auto& node : nodes_) {
    const auto& death = node.last_death();
    if (!death || (now - death->when > recent && !node.given_up())) continue;
    if (!first || death->when < first->last_death()->when) first = &node;
  }
  if (!first) return std::nullopt;
  return first->last_death()->words;
}

void process_mesh::stop() {
  const auto deadline = std::chrono::steady_clock::now() + end_limit;
  for (auto& node : nodes_) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (!node.wait_end(std::max(left, std::chrono::milliseconds(0)))) node.signal(SIGTERM);
  }
  for (auto& node : nodes_)
    if (!node.wait_end(std::chrono::milliseconds(1000))) node.signal(SIGKILL);
  nodes_.clear();
}

std::string run_folder(const config::job_config& job) {
  const auto disk = env::make_disk();
  const auto first = job.mesh.log_dir + "/" + job.job.name.substr(0, folder_name_bytes_max) + "-" +
                     std::to_string(getpid());
  // Process ids come again, and nodes must not find what others have left for their restarts.
  auto folder = first;
  for (int i = 2; disk->exists(folder); ++i)
    folder = first + "-" + std::to_string(i);
  return folder;
}

result<std::unique_ptr<local_mesh>> start_processes(const config::job_config& job) {
  auto mesh = process_mesh::start(job, {.folder = run_folder(job)});
  if (!mesh) return mesh.failure();
  return std::unique_ptr<local_mesh>(std::move(*mesh));
}

} // namespace gradmesh::tools
