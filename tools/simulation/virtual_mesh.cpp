#include "tools/simulation/virtual_mesh.hpp"

#include "actors/env/random.hpp"
#include "actors/store/model_file.hpp"
#include "config/node_config.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace gradmesh::simulation {
namespace {

constexpr std::uint16_t coordinator_port = 7700;
constexpr std::size_t first_server_port = 7710;
constexpr std::size_t first_data_server_port = 9710;
/// Messages handled between two looks at what is waited for.
constexpr std::size_t messages_between_looks = 200;
/// For an answer of the coordinator, in virtual time.
constexpr std::chrono::seconds answer_limit{60};
constexpr std::uint64_t model_bytes_max = 1u << 30;

} // namespace

struct virtual_mesh::scheduler {
  scheduler() {
    config.set("scheduler.policy", caf::atom("testing"));
    system = std::make_unique<caf::actor_system>(config);
    // Timers that are never triggered must not keep the mesh from ending.
    system->await_actors_before_shutdown(false);
  }
  caf::scheduler::test_coordinator& coordinator() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
  }

  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
};

virtual_mesh::virtual_mesh(const mesh_options& options)
    : scheduler_(std::make_unique<scheduler>()), hub_(std::make_shared<env::memory_hub>()),
      disk_(std::make_shared<env::memory_disk>()) {
  (void)disk_->create_directories(".");
  const auto random = std::make_shared<env::random_stream>(1);
  environment_ = {.make_network =
                      [hub = hub_, tap = options.tap](env::network_options links) {
                        std::shared_ptr<env::network> network =
                            env::make_memory_network(hub, std::move(links));
                        return tap ? make_tapped_network(std::move(network), tap) : network;
                      },
                  .disk = disk_,
                  .run_command =
                      [](const std::vector<std::string>&, std::uint64_t) {
                        return result<std::string>(errc::not_found, "no programs in virtual time");
                      },
                  .log = options.log,
                  .make_team = env::make_sequential_team,
                  .open_device = options.open_device,
                  .entropy = [random] { return random->next(); },
                  .cache_folder = {},
                  .place = env::placement::scheduled,
                  .rules = options.rules};
}

virtual_mesh::~virtual_mesh() {
  client_.reset();
  for (auto& running : nodes_)
    if (running.node) running.node->stop();
  settle();
}

result<node::node*> virtual_mesh::add_node(const std::string& ini) {
  const auto loaded = config::parse_node(ini, "node.ini");
  if (!loaded) return error{errc::invalid_config, to_string(loaded.diagnostics)};
  auto end = std::make_shared<error>();
  auto started =
      node::node::start(*scheduler_->system, *loaded.value, environment_, [end](const error& why) {
        *end = why ? why : error{errc::cancelled, "told to end"};
      });
  if (!started) return started.failure();
  nodes_.push_back({std::move(*started), end});
  return nodes_.back().node.get();
}

std::string virtual_mesh::node_file(const std::string& role, std::size_t number) {
  const auto file = [&](const std::string& name) {
    return "[node]\nname = " + name + "\nroles = " + role + "\n";
  };
  const auto listen = [&](std::size_t first_port) {
    return "listen = 127.0.0.1:" + std::to_string(first_port + number) + "\n";
  };
  if (role == "coordinator") return file(role) + listen(coordinator_port);
  const auto text = file(role + "-" + std::to_string(number)) +
                    "coordinator = 127.0.0.1:" + std::to_string(coordinator_port) + "\n";
  if (role == "worker") return text;
  return text + listen(role == "server" ? first_server_port : first_data_server_port);
}

result<void> virtual_mesh::add_roles(std::size_t servers, std::size_t workers,
                                     std::size_t data_servers, const std::string& extra) {
  const std::pair<const char*, std::size_t> roles[] = {
      {"coordinator", 1}, {"server", servers}, {"data-server", data_servers}, {"worker", workers}};
  for (const auto& [role, count] : roles)
    for (std::size_t i = 0; i < count; ++i)
      if (auto added = add_node(node_file(role, i) + extra); !added) return added.failure();
  settle();
  return {};
}

void virtual_mesh::stop_node(std::size_t index) {
  nodes_[index].node->stop();
}

void virtual_mesh::cut(const node::node& node) {
  hub_->cut(node.identity().uuid);
}

env::time_point virtual_mesh::now() const {
  return scheduler_->coordinator().clock().now();
}

void virtual_mesh::settle() {
  scheduler_->coordinator().run();
}

void virtual_mesh::handle(std::size_t messages) {
  scheduler_->coordinator().run(messages);
}

bool virtual_mesh::run_until(const std::function<bool()>& holds, std::chrono::milliseconds limit) {
  auto& coordinator = scheduler_->coordinator();
  auto& clock = coordinator.clock();
  const auto until = clock.now() + limit;
  while (!holds()) {
    if (coordinator.run(messages_between_looks) > 0) continue;
    if (clock.now() >= until) return false;
    const auto& timers = clock.schedule();
    const auto next = timers.empty() ? until : std::min(until, timers.begin()->first);
    clock.advance_time(std::max(next, clock.now()) - clock.now());
  }
  return true;
}

result<void> virtual_mesh::start_client() {
  if (client_) return {};
  mesh::node_uuid uuid{};
  const std::uint64_t half = environment_.entropy();
  std::memcpy(uuid.data(), &half, sizeof half);
  client_ = std::make_unique<job_client>(environment_.make_network, uuid);
  if (auto started = client_->start(); !started) return started;
  // Memory says how it went before this returns.
  client_->dial({.host = "127.0.0.1", .port = coordinator_port});
  return client_->linked() ? result<void>() : client_->failure();
}

result<void> virtual_mesh::submit(const std::string& job, std::chrono::seconds wait,
                                  const resume_point& from) {
  if (auto started = start_client(); !started) return started;
  if (auto sent = client_->submit(job, wait, {}, from); !sent) return sent;
  if (!run_until([&] { return client_->job_id() != 0 || client_->refusal(); }, answer_limit))
    return error{errc::timed_out, "the coordinator does not answer to a job"};
  return refusal() ? result<void>(refusal()) : result<void>();
}

result<void> virtual_mesh::cancel(std::uint64_t job_id) {
  return client_->cancel(job_id);
}

result<std::uint32_t> virtual_mesh::change(const std::vector<std::string>& options) {
  if (auto sent = client_->change(options); !sent) return sent.failure();
  if (!run_until([&] { return client_->changed_from() || client_->refusal(); }, answer_limit))
    return error{errc::timed_out, "the coordinator does not answer to a change of the job"};
  if (refusal()) return refusal();
  return *client_->changed_from();
}

result<job_outcome> virtual_mesh::finish(std::chrono::minutes limit) {
  if (!run_until([&] { return outcome().ended(); }, limit))
    return error{errc::timed_out, "the job has not ended after " + std::to_string(limit.count()) +
                                      " virtual minutes: " + outcome().text};
  return outcome();
}

void virtual_mesh::forget_client() {
  client_.reset();
}

result<std::size_t> virtual_mesh::members() {
  if (auto started = start_client(); !started) return started.failure();
  if (auto sent = client_->ask_status(); !sent) return sent.failure();
  if (!run_until([&] { return client_->members().has_value(); }, answer_limit))
    return error{errc::timed_out, "the coordinator does not tell its status"};
  return *client_->members();
}

result<store::model_content> virtual_mesh::read_model(const std::string& path) {
  const auto bytes = disk_->read(path, model_bytes_max);
  if (!bytes) return bytes.failure();
  return store::read_model(std::as_bytes(std::span(*bytes)));
}

} // namespace gradmesh::simulation
