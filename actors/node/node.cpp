#include "actors/node/node.hpp"

#include "actors/coordinator/coordinator.hpp"
#include "actors/data_server/data_server.hpp"
#include "actors/env/network/handshake.hpp"
#include "actors/env/network/tls/tls_context.hpp"
#include "actors/mesh/stored_identity.hpp"
#include "actors/node/node_agent.hpp"
#include "actors/node/slow_links.hpp"
#include "actors/node/spawn.hpp"
#include "actors/server_shard/server_shard.hpp"
#include "actors/worker/worker.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>

namespace gradmesh::node {
namespace {

/// Where the configuration leaves it to us how long a node may be silent.
constexpr int heartbeats_missed_max = 8;

mesh::role_set roles_of(const config::node_config& config) {
  mesh::role_set roles;
  const auto add = [&](config::role configured, mesh::role r) {
    if (config.has(configured)) roles.add(r);
  };
  add(config::role::coordinator, mesh::role::coordinator);
  add(config::role::server, mesh::role::server);
  add(config::role::worker, mesh::role::worker);
  add(config::role::data_server, mesh::role::data_server);
  return roles;
}

/// Refuses addresses that would be open to anybody, or that nobody can dial.
result<void> check_address(const config::node_config& config) {
  const auto& settings = config.node;
  if (!settings.listen) return {};
  const auto at = to_string(*settings.listen);
  const bool protected_links = config.tls.enabled() || settings.insecure;
  if (!config::is_loopback(*settings.listen) && !protected_links)
    return error{errc::refused, "node.listen = " + at +
                                    " is open to other machines, and without the files of [tls] "
                                    "links are neither encrypted nor authenticated. Name them "
                                    "(gradmesh tls init makes them), listen on 127.0.0.1, or set "
                                    "node.insecure = true in a network that you trust"};
  const auto& host = settings.listen->host;
  if ((host == "0.0.0.0" || host == "::") && !settings.advertise)
    return error{errc::refused, "node.listen = " + at +
                                    " is no address that other nodes can dial; name the one by "
                                    "which they reach this machine, there or as node.advertise"};
  return {};
}

/// Gives the links the node's certificate, if it has one.
result<void> secure(env::network_options& links, const config::node_config& config,
                    const env::environment& environment) {
  if (!config.tls.enabled()) return {};
  auto made = env::tls_context::make({.ca = config.tls.ca,
                                      .certificate = config.tls.certificate,
                                      .key = config.tls.key,
                                      .cluster = links.cluster},
                                     *environment.disk);
  if (!made) return made.failure();
  for (const auto& warning : (*made)->warnings())
    environment.log(env::severity::warning, warning);
  // As its peers will check it.
  const env::peer self{links.self, links.node_name, links.roles, {}};
  if (auto fits = env::check_certified(self, (*made)->own()); !fits)
    return error{errc::invalid_config, config.tls.certificate + ": " + fits.failure().text};
  links.tls = *made;
  return {};
}

} // namespace

struct node::parts {
  std::unique_ptr<env::held_folder> state;   // where the node has one
  std::shared_ptr<coordinator::job_log> log; // of a coordinator with a state folder
  mesh::node_identity identity;
  context_ptr context;
  std::shared_ptr<env::network> network;
  std::shared_ptr<mesh::router> router;
  std::shared_ptr<loop_unit> loop;
  std::map<mesh::service_id, caf::actor> services;
  timer_actor timer; // where links are slowed down
  bool stopped = false;

  /// Who the node is in the life that begins now.
  result<void> begin(const config::node_config& config, const env::environment& environment) {
    const auto& folder = config.node.state_folder;
    if (folder.empty()) {
      identity = mesh::draw_identity(environment.entropy);
      return {};
    }
    if (auto made = environment.disk->create_directories(folder); !made) return made.failure();
    if (environment.lock_folder) {
      auto locked = environment.lock_folder(folder);
      if (!locked)
        return error{locked.failure().code, "node.state_folder: " + locked.failure().text};
      state = std::move(*locked);
    }
    auto begun =
        mesh::begin_life(*environment.disk, folder, environment.entropy, environment.rules);
    if (!begun) return error{begun.failure().code, "node.state_folder: " + begun.failure().text};
    identity = *begun;
    if (!config.has(config::role::coordinator)) return {};
    auto opened = coordinator::job_log::open(environment.disk, folder, environment.rules);
    if (!opened) return error{opened.failure().code, "node.state_folder: " + opened.failure().text};
    log = *std::move(opened);
    return {};
  }

  template <class Handle>
  void offer(mesh::service_id service, const Handle& handle) {
    router->bind(service, mesh::deliver_to(handle));
    services.emplace(service, caf::actor_cast<caf::actor>(handle));
  }
};

node::node(std::unique_ptr<parts> p) : parts_(std::move(p)) {}

node::~node() {
  stop();
}

const context_ptr& node::context() const {
  return parts_->context;
}

const mesh::node_identity& node::identity() const {
  return parts_->router->self();
}

result<std::unique_ptr<node>> node::start(caf::actor_system& system,
                                          const config::node_config& config,
                                          const env::environment& environment,
                                          std::function<void(error)> on_end) {
  const auto& settings = config.node;
  if (auto checked = check_address(config); !checked) return checked.failure();
  auto device = worker::choose_device(config, environment);
  if (!device) return device.failure();
  auto p = std::make_unique<parts>();
  if (auto begun = p->begin(config, environment); !begun) return begun.failure();
  const auto identity = p->identity;
  env::network_options links;
  links.self = identity;
  links.node_name = settings.name;
  links.cluster = settings.cluster;
  links.roles = roles_of(config);
  links.shared_memory = settings.shared_memory;
  if (auto secured = secure(links, config, environment); !secured) return secured.failure();
  links.queue_bytes_max = settings.queue_mib << 20;
  links.window_bytes = settings.window_mib << 20;
  links.log = [log = environment.log](const std::string& line) { log(env::severity::info, line); };
  p->network = environment.make_network(links);
  if (const auto delay = config.emulation.link_delay; delay.count() > 0) {
    p->timer = spawn(system, environment.place, timer, std::monostate{});
    p->network = slow_down(std::move(p->network), links, delay, p->timer);
  }
  p->router = std::make_shared<mesh::router>(identity, p->network);
  if (environment.place == env::placement::hosted)
    p->loop = std::make_shared<loop_unit>(system, p->network);
  const auto update_rules = environment.update_rules
                                ? environment.update_rules
                                : std::make_shared<const parameters::rule_registry>();
  const auto context = std::make_shared<const gradmesh::node::context>(
      gradmesh::node::context{.router = p->router,
                              .disk = environment.disk,
                              .run_command = environment.run_command,
                              .log = environment.log,
                              .make_team = environment.make_team,
                              .open_device = environment.open_device,
                              .board = std::make_shared<service_board>(),
                              .place = environment.place,
                              .loop = p->loop,
                              .node_name = settings.name,
                              .unix_ms = environment.unix_ms,
                              .cache_folder = environment.cache_folder,
                              .rules = environment.rules,
                              .update_rules = update_rules});
  p->context = context;
  auto& parts = *p;
  std::unique_ptr<node> made(new node(std::move(p)));

  const auto place = environment.place;
  local_actors locals;
  using mesh::service_kind;
  if (config.has(config::role::coordinator)) {
    locals.coordinator =
        spawn(system, place, coordinator::coordinator, context,
              coordinator::coordinator_options{
                  .heartbeat = settings.heartbeat,
                  .node_timeout = settings.node_timeout.count() > 0
                                      ? std::chrono::milliseconds(settings.node_timeout)
                                      : heartbeats_missed_max * settings.heartbeat,
                  .log = parts.log});
    parts.offer({service_kind::coordinator, 0}, locals.coordinator);
  }
  if (config.has(config::role::server))
    for (std::uint16_t i = 0; i < config.server.shards; ++i) {
      const mesh::service_id service{service_kind::server_shard, i};
      // The network's thread can work for one shard; several are there to work side by side.
      const bool alone = context->loop && config.server.shards == 1;
      locals.shards.push_back(
          alone ? spawn_on(context->loop, server_shard::server_shard, context, service)
                : spawn(system, place, server_shard::server_shard, context, service));
      parts.offer(service, locals.shards.back());
    }
  if (config.has(config::role::data_server)) {
    const mesh::service_id service{service_kind::data_server, 0};
    parts.offer(service, spawn(system, place, data_server::data_server, context, service));
  }
  if (config.has(config::role::worker)) {
    const mesh::service_id service{service_kind::worker, 0};
    const auto ahead = config.emulation.pushes_ahead;
    const worker::worker_options options{
        .pipeline = {.prefetch = config.worker.prefetch,
                     .pushes_in_flight = ahead > 0 ? ahead : config.worker.pushes_in_flight,
                     .pulls = ahead == 0},
        .pace = {.least = config.emulation.step_time,
                 .slowdown = config.emulation.slowdown,
                 .slow_part = config.emulation.slow_part},
        .device = *device};
    locals.workers.push_back(
        context->loop ? spawn_on(context->loop, worker::worker, context, service, options)
                      : spawn(system, place, worker::worker, context, service, options));
    parts.offer(service, locals.workers.back());
    // For jobs with partitioned data; idle otherwise.
    const mesh::service_id data{service_kind::local_data, 0};
    parts.offer(data, spawn(system, place, data_server::data_server, context, data));
  }

  const auto agent = spawn(system, place, node_agent, context,
                           agent_options{.config = config,
                                         .services = parts.services,
                                         .locals = std::move(locals),
                                         .on_end = std::move(on_end)});
  parts.offer({service_kind::node, 0}, agent);

  auto started = parts.router->start({
      .up = [agent](const env::peer& who) { caf::anon_send(agent, peer_up{who}); },
      .down =
          [agent](const env::peer& who, const error& why) {
            caf::anon_send(agent, peer_down{who, why});
          },
      .connect_failed =
          [agent](const config::endpoint& to, const error& why) {
            caf::anon_send(agent, connect_failed{to, why});
          },
  });
  if (!started) return started.failure();
  if (parts.loop) parts.loop->open();
  if (settings.listen) {
    auto bound = parts.network->listen(*settings.listen);
    if (!bound) return bound.failure();
    made->endpoint_ = *bound;
  }
  const auto dialled = settings.advertise.value_or(made->endpoint_);
  caf::anon_send(agent, join_mesh{settings.listen ? to_string(dialled) : std::string()});
  return made;
}

void node::stop(std::chrono::milliseconds linger) {
  if (std::exchange(parts_->stopped, true)) return;
  for (const auto& [service, actor] : parts_->services) {
    parts_->router->unbind(service);
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  }
  parts_->network->stop(linger);
  if (parts_->loop) parts_->loop->close();
  if (parts_->timer) caf::anon_send_exit(parts_->timer, caf::exit_reason::user_shutdown);
  parts_->services.clear();
}

} // namespace gradmesh::node
