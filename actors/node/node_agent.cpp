#include "actors/node/node_agent.hpp"

#include "actors/defaults.hpp"
#include "actors/env/process.hpp"
#include "actors/mesh/receive.hpp"
#include "actors/version.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>

namespace gradmesh::node {
namespace {

constexpr mesh::service_id own_service{mesh::service_kind::node, 0};
constexpr mesh::service_id coordinator_service{mesh::service_kind::coordinator, 0};

template <class Gauges>
void fill_gauges(const Gauges& from, capnp::List<schema::Gauge>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i) {
    out[i].setName(from[i].first);
    out[i].setValue(from[i].second);
  }
}

} // namespace

void node_agent_state::join(const std::string& endpoint) {
  endpoint_ = endpoint;
  interval_ = defaults::node::redial_interval;
  seeking_since_ = env::now(*self);
  noticed_at_ = *seeking_since_;
  if (options.locals.coordinator) {
    coordinator_ = context->router->self().uuid;
    register_at(*coordinator_);
  }
  on_tick();
}

// --- joining ------------------------------------------------------------------------------------

bool node_agent_state::takes_part_in_job() const {
  for (const auto& [service, status] : context->board->snapshot())
    if (service.kind != mesh::service_kind::coordinator && status.state != "idle" &&
        status.state != "failed")
      return true;
  return false;
}

void node_agent_state::seek_coordinator() {
  const auto now = env::now(*self);
  const auto& node = options.config.node;
  // Members of a job wait for its coordinator; it may have to be started again first.
  const bool patient = was_member_ && takes_part_in_job();
  if (!patient && now - *seeking_since_ >= node.join_timeout) {
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - *seeking_since_);
    const auto tried = attempts_ == 0
                           ? std::string("it was linked to but did not answer")
                           : std::to_string(attempts_) + " attempts; the last: " + last_failure_;
    return end({errc::unreachable, "no coordinator at " + to_string(*node.coordinator) + " after " +
                                       std::to_string(waited.count()) + " s (" + tried +
                                       "). node.coordinator says where to look, "
                                       "node.join_timeout for how long"});
  }
  const auto notice = patient ? defaults::node::lost_coordinator_notice_interval
                              : defaults::node::waiting_notice_interval;
  if (now - noticed_at_ >= notice) say_whom_it_waits_for(now);
  if (coordinator_ && now - asked_at_ >= defaults::node::register_interval)
    register_at(*coordinator_); // what was sent before may be lost
  if (!coordinator_ && !dialling_coordinator_) {
    dialling_coordinator_ = true;
    ++attempts_;
    context->router->network().connect(*node.coordinator);
  }
}

void node_agent_state::say_whom_it_waits_for(env::time_point now) {
  noticed_at_ = now;
  const auto& node = options.config.node;
  const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - *seeking_since_);
  const bool patient = was_member_ && takes_part_in_job();
  context->log(env::severity::info,
               "waiting for the coordinator at " + to_string(*node.coordinator) + " since " +
                   std::to_string(waited.count()) + " s, " +
                   (patient ? "for as long as it takes: this node takes part in a job"
                            : "at most " + std::to_string(node.join_timeout.count()) + " s") +
                   (last_failure_.empty() ? "" : " (" + last_failure_ + ")"));
}

void node_agent_state::register_at(const mesh::node_uuid& coordinator) {
  asked_at_ = env::now(*self);
  mesh::draft<schema::Register> message;
  const auto& node = options.config.node;
  message->setName(node.name);
  auto roles = message->initRoles(static_cast<unsigned>(node.roles.size()));
  for (unsigned i = 0; i < roles.size(); ++i)
    roles.set(i, std::string(to_string(node.roles[i])));
  message->setEndpoint(endpoint_);
  auto services = message->initServices(static_cast<unsigned>(options.services.size()));
  unsigned n = 0;
  for (const auto& [service, actor] : options.services)
    services.set(n++, service.to_wire());
  message->setProcessId(env::process_id());
  message->setVersion(version);
  (void)context->router->send({coordinator, coordinator_service}, own_service, message);
}

void node_agent_state::on_registered(const mesh::message<schema::Registered>& registered) {
  const auto& by = registered.sender();
  if (coordinator_ != by.node) return; // of a coordinator that is lost again
  heard_ = registered.header();
  if (registered_) return; // the answer to a heartbeat, or asked for twice
  registered_ = true;
  was_member_ = true;
  seeking_since_.reset();
  interval_ = std::chrono::milliseconds(std::max(1U, (*registered).getHeartbeatMs()));
  context->log(env::severity::info, "joined the mesh");
  for (const auto& worker : options.locals.workers)
    self->send(worker, joined_mesh{by.node});
  beat();
}

void node_agent_state::on_refused(const error& why) {
  if (!registered_) return end({why.code, "the coordinator refused this node: " + why.text});
  context->log(env::severity::warning, "refused: " + why.text);
  // A heartbeat is refused by a coordinator that has given this node up: join again.
  if (coordinator_) register_at(*coordinator_);
}

// --- membership ---------------------------------------------------------------------------------

bool node_agent_state::works_with(schema::Member::Reader member,
                                  const mesh::node_uuid& uuid) const {
  if (member.getEndpoint().size() == 0) return false;
  const bool works = !options.locals.workers.empty();
  // Two servers need one link, for replication: the one with the lower uuid dials.
  const bool replicates = options.services.contains({mesh::service_kind::server_shard, 0}) &&
                          context->router->self().uuid < uuid;
  for (const auto number : member.getServices()) {
    const auto kind = mesh::service_id::from_wire(number).kind;
    if (kind == mesh::service_kind::server_shard && (works || replicates)) return true;
    if (kind == mesh::service_kind::data_server && works) return true;
  }
  return false;
}

result<void> node_agent_state::on_view(schema::View::Reader view) {
  if (view.getEpoch() <= context->router->view_epoch() && !options.locals.coordinator) return {};
  context->router->set_view_epoch(view.getEpoch());
  std::map<mesh::node_uuid, needed_member> needed;
  for (const auto member : view.getMembers()) {
    const auto uuid = mesh::to_uuid(member.getUuid());
    if (!uuid || *uuid == context->router->self().uuid || !works_with(member, *uuid)) continue;
    const auto at = config::parse_endpoint(mesh::text(member.getEndpoint()));
    if (!at)
      return error{errc::malformed_message,
                   "member '" + mesh::text(member.getName()) + "' listens at " + at.failure().text};
    const auto known = needed_.find(*uuid);
    needed[*uuid] = {*at, mesh::text(member.getName()),
                     known != needed_.end() && known->second.dialling};
  }
  needed_ = std::move(needed);
  dial_needed();
  return {};
}

void node_agent_state::dial_needed() {
  for (auto& [uuid, member] : needed_) {
    if (up_.contains(uuid) || member.dialling) continue;
    member.dialling = true;
    context->router->network().connect(member.at);
  }
}

void node_agent_state::on_up(const env::peer& who) {
  up_.insert(who.identity.uuid);
  if (const auto member = needed_.find(who.identity.uuid); member != needed_.end())
    member->second.dialling = false;
  if (dialling_coordinator_ && who.remote == *options.config.node.coordinator) {
    dialling_coordinator_ = false;
    attempts_ = 0;
    coordinator_ = who.identity.uuid;
    register_at(*coordinator_);
  }
  for (const auto& worker : options.locals.workers)
    self->send(worker, peer_up{who});
  for (const auto& shard : options.locals.shards)
    self->send(shard, peer_up{who});
}

void node_agent_state::on_down(const env::peer& who, const error& why) {
  up_.erase(who.identity.uuid);
  for (const auto& worker : options.locals.workers)
    self->send(worker, peer_down{who, why});
  for (const auto& shard : options.locals.shards)
    self->send(shard, peer_down{who, why});
  if (options.locals.coordinator) self->send(options.locals.coordinator, peer_down{who, why});
  if (ended_) return;
  if (coordinator_ != who.identity.uuid) return dial_needed(); // it may only be the link
  context->log(env::severity::warning, "lost the coordinator: " + why.text);
  coordinator_.reset();
  registered_ = false;
  context->router->set_view_epoch(0); // the next coordinator may count from the beginning
  last_failure_ = why.text;
  attempts_ = 0;
  seeking_since_ = env::now(*self);
  noticed_at_ = *seeking_since_;
  seek_coordinator();
}

void node_agent_state::on_connect_failed(const config::endpoint& to, const error& why) {
  const auto& node = options.config.node;
  if (dialling_coordinator_ && to == *node.coordinator) {
    dialling_coordinator_ = false;
    last_failure_ = why.text;
    if (why.code == errc::incompatible_peer)
      return end({why.code,
                  "the coordinator at " + to_string(to) + " does not take this node: " + why.text});
  }
  for (auto& [uuid, member] : needed_)
    if (member.at == to) {
      member.dialling = false;
      context->log(env::severity::warning, "cannot reach '" + member.name + "': " + why.text);
    }
}

void node_agent_state::beat() {
  mesh::draft<schema::Heartbeat> heartbeat;
  const auto usage = env::current_usage();
  heartbeat->setResidentBytes(usage.resident_bytes);
  heartbeat->setCpuSeconds(usage.cpu_seconds);
  const auto board = context->board->snapshot();
  auto services = heartbeat->initServices(static_cast<unsigned>(board.size()));
  unsigned i = 0;
  for (const auto& [service, status] : board) {
    auto entry = services[i++];
    entry.setService(service.to_wire());
    entry.setState(status.state);
    fill_gauges(status.gauges, entry.initGauges(static_cast<unsigned>(status.gauges.size())));
  }
  const auto links = context->router->network().stats();
  const std::vector<std::pair<std::string, double>> gauges = {
      {"links", static_cast<double>(up_.size())},
      {"frames_sent_total", static_cast<double>(links.frames_sent)},
      {"frames_received_total", static_cast<double>(links.frames_received)},
      {"bytes_sent_total", static_cast<double>(links.bytes_sent)},
      {"bytes_received_total", static_cast<double>(links.bytes_received)},
      {"frames_refused_total",
       static_cast<double>(links.frames_refused + context->router->refused_frames())},
      {"roles_refused_total", static_cast<double>(links.roles_refused)},
      {"retry_later_total", static_cast<double>(links.sends_refused)},
      {"queued_bytes", static_cast<double>(links.queued_bytes)}};
  fill_gauges(gauges, heartbeat->initGauges(static_cast<unsigned>(gauges.size())));
  (void)context->router->reply_to(heard_, heartbeat);
}

void node_agent_state::on_tick() {
  if (ended_) return;
  self->delayed_send(self, interval_, tick{});
  if (registered_) {
    beat();
    dial_needed();
  } else if (!options.locals.coordinator) {
    seek_coordinator();
  }
}

void node_agent_state::end(const error& why) {
  if (std::exchange(ended_, true)) return;
  options.on_end(why);
}

node_actor::behavior_type node_agent(node_agent_state::pointer self, context_ptr context,
                                     agent_options options) {
  auto& state = self->state;
  state.self = self;
  state.context = std::move(context);
  state.options = std::move(options);
  for (const auto& [service, actor] : state.options.services)
    self->monitor(actor);
  self->set_down_handler([self](const caf::down_msg& down) {
    if (down.reason == caf::exit_reason::user_shutdown) return; // the node stops
    auto& s = self->state;
    for (const auto& [service, actor] : s.options.services)
      if (actor == down.source)
        s.end({errc::io_failed,
               "its " + to_string(service) + " ended: " + self->system().render(down.reason)});
  });
  const auto& router = state.context->router;
  return {
      [self](const join_mesh& join) { self->state.join(join.endpoint); },
      mesh::receive<schema::Registered>(router,
                                        [self](const auto& m) -> result<void> {
                                          self->state.on_registered(m);
                                          return {};
                                        }),
      mesh::receive<schema::View>(router,
                                  [self](const auto& m) { return self->state.on_view(*m); }),
      mesh::receive<schema::Shutdown>(
          router,
          [self](const auto& m) -> result<void> {
            auto& s = self->state;
            s.context->log(env::severity::info, "told to end: " + mesh::text((*m).getReason()));
            s.end({});
            return {};
          }),
      mesh::receive<schema::Refusal>(router,
                                     [self](const auto& m) -> result<void> {
                                       self->state.on_refused(mesh::to_error(*m));
                                       return {};
                                     }),
      [self](const peer_up& up) { self->state.on_up(up.who); },
      [self](const peer_down& down) { self->state.on_down(down.who, down.why); },
      [self](const connect_failed& failed) {
        self->state.on_connect_failed(failed.to, failed.why);
      },
      [self](tick) { self->state.on_tick(); },
  };
}

} // namespace gradmesh::node
