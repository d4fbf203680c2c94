#include "tools/local_mesh.hpp"

#include "actors/env/network/memory_network.hpp"
#include "actors/node/node.hpp"
#include "tools/actor_system.hpp"
#include "tools/cache_folder.hpp"

#include <mutex>

namespace gradmesh::tools {
namespace {

/// Memory is what the nodes are linked by, whatever the job says.
config::job_config in_memory(config::job_config job) {
  job.mesh.lane = config::lane_kind::shm;
  job.mesh.listen = {"127.0.0.1", 7700};
  return job;
}

class in_process_mesh final : public local_mesh {
public:
  in_process_mesh()
      : environment_(env::real_environment(env::no_log(), // what matters reaches the client

                                           cache_folder())),
        hub_(std::make_shared<env::memory_hub>()) {
    environment_.make_network = [hub = hub_](env::network_options options) {
      return std::shared_ptr<env::network>(env::make_memory_network(hub, std::move(options)));
    };
    environment_.place = env::placement::detached; // memory has no thread to host actors
  }
  ~in_process_mesh() override { stop(); }

  result<void> start(const config::job_config& job) {
    for (const auto& planned : plan_nodes(in_memory(job), {.coordinator_at = "127.0.0.1:7700"})) {
      const auto loaded = config::parse_node(planned.config, planned.name);
      if (!loaded) return error{errc::invalid_config, to_string(loaded.diagnostics)};
      auto started = node::node::start(*system_, *loaded.value, environment_,
                                       [this, name = planned.name](const error& why) {
                                         if (!why) return;
                                         const std::lock_guard lock(mutex_);
                                         if (!casualty_)
                                           casualty_ = "node '" + name + "' ended: " + why.text;
                                       });
      if (!started) return started.failure();
      nodes_.push_back(std::move(*started));
    }
    return {};
  }

  const env::environment& environment() const override { return environment_; }
  mesh_access access() const override {
    return {.coordinator = nodes_.front()->endpoint(), .tls = {}};
  }
  std::string description() const override { return "all in this process"; }
  /// They live and die with this process.
  std::vector<std::string> look_after() override { return {}; }
  std::uint32_t restarts() const override { return 0; }
  std::optional<std::string> end() override { return casualty(); }
  std::optional<std::string> casualty() override {
    const std::lock_guard lock(mutex_);
    return casualty_;
  }
  void stop() override {
    for (auto& node : nodes_)
      node->stop();
    nodes_.clear();
  }

private:
  env::environment environment_;
  std::shared_ptr<env::memory_hub> hub_;
  std::mutex mutex_; // guards casualty_
  std::optional<std::string> casualty_;
  actor_system system_; // waits for the actors, which use what stands above
  std::vector<std::unique_ptr<node::node>> nodes_;
};

} // namespace

result<std::unique_ptr<local_mesh>> start_in_process(const config::job_config& job) {
  auto mesh = std::make_unique<in_process_mesh>();
  if (auto started = mesh->start(job); !started) return started.failure();
  return std::unique_ptr<local_mesh>(std::move(mesh));
}

} // namespace gradmesh::tools
