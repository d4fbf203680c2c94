#include "tools/local_mesh.hpp"
#include "tools/node_process.hpp"

#include <unistd.h>

#include <csignal>
#include <list>

namespace gradmesh::tools {
namespace {

constexpr std::chrono::milliseconds ready_limit{20'000};
constexpr std::chrono::milliseconds end_limit{5'000};
constexpr std::size_t last_words_lines = 12;
constexpr std::size_t folder_name_bytes_max = 64;
constexpr const char* client_name = "client";

class process_mesh final : public local_mesh {
public:
  explicit process_mesh(std::string folder)
      : environment_(env::real_environment(env::no_log(), {})), folder_(std::move(folder)) {}
  ~process_mesh() override {
    // Nobody has told those that still run to end.
    for (const auto& process : processes_)
      process.signal(SIGTERM);
    stop();
  }

  result<void> start(const config::job_config& job) {
    if (auto made = environment_.disk->create_directories(folder_); !made) return made;
    const auto certificates = folder_ + "/certificates";
    if (job.mesh.lane == config::lane_kind::tls) {
      std::vector<std::string> names{client_name};
      for (const auto& node : plan_nodes(job, {}, {}))
        names.push_back(node.name);
      if (auto made = make_certificates(certificates, names); !made) return made;
      access_.tls = tls_files(certificates + "/" + client_name, access_.cluster);
    }
    // The coordinator's port is known only when it listens.
    const auto first = plan_nodes(job, to_string(job.mesh.listen), certificates).front();
    auto at = start_node(first);
    if (!at) return at.failure();
    auto endpoint = config::parse_endpoint(*at);
    if (!endpoint) return endpoint.failure();
    access_.coordinator = *endpoint;
    const auto nodes = plan_nodes(job, *at, certificates);
    for (std::size_t i = 1; i < nodes.size(); ++i)
      if (auto started = launch(nodes[i]); !started) return started;
    for (auto& process : processes_)
      if (&process != &processes_.front())
        if (auto ready = wait_ready(process); !ready) return ready.failure();
    return {};
  }

  const env::environment& environment() const override { return environment_; }
  mesh_access access() const override { return access_; }
  std::string description() const override {
    return "coordinator at " + to_string(access_.coordinator) + ", node files and logs in " +
           folder_;
  }

  std::optional<std::string> casualty() override {
    for (auto& process : processes_)
      if (const auto how = process.ended()) return last_words(process, *how);
    return std::nullopt;
  }

  void stop() override {
    const auto deadline = std::chrono::steady_clock::now() + end_limit;
    for (auto& process : processes_) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      if (!process.wait_end(std::max(left, std::chrono::milliseconds(0)))) process.signal(SIGTERM);
    }
    for (auto& process : processes_)
      if (!process.wait_end(std::chrono::milliseconds(1000))) process.signal(SIGKILL);
    processes_.clear();
  }

private:
  result<void> launch(const planned_node& node) {
    const auto file = folder_ + "/" + node.name + ".ini";
    if (auto written = environment_.disk->write(file, node.config); !written) return written;
    auto process = node_process::start(
        {.name = node.name, .config_file = file, .log_file = folder_ + "/" + node.name + ".log"});
    if (!process) return process.failure();
    processes_.push_back(std::move(*process));
    return {};
  }

  result<std::string> start_node(const planned_node& node) {
    if (auto launched = launch(node); !launched) return launched.failure();
    return wait_ready(processes_.back());
  }

  result<std::string> wait_ready(node_process& process) {
    auto ready = process.wait_ready(ready_limit);
    if (ready) return ready;
    const auto how = process.ended();
    return error{ready.failure().code, how ? last_words(process, *how) : ready.failure().text};
  }

  std::string last_words(node_process& process, const std::string& how) const {
    return "node '" + process.name() + "' (process " + std::to_string(process.pid()) +
           ") ended: " + how + ". Its last log lines (" + folder_ + "/" + process.name() +
           ".log):\n" + process.last_log_lines(last_words_lines);
  }

  env::environment environment_;
  std::string folder_;
  mesh_access access_; // the default cluster, so that `gradmesh status` needs only the address
  std::list<node_process> processes_; // the coordinator first
};

} // namespace

result<std::unique_ptr<local_mesh>> start_processes(const config::job_config& job) {
  auto mesh = std::make_unique<process_mesh>(job.mesh.log_dir + "/" +
                                             job.job.name.substr(0, folder_name_bytes_max) + "-" +
                                             std::to_string(getpid()));
  if (auto started = mesh->start(job); !started) return started.failure();
  return std::unique_ptr<local_mesh>(std::move(mesh));
}

} // namespace gradmesh::tools
