#pragma once

/// The actor that keeps its node in the mesh: finds the coordinator, registers, beats, and dials
/// the members that the node's workers and server shards need. Interface and messages: actors.hpp,
/// schema/cluster.capnp.
///
/// Failure: an actor of the node that ends by itself ends the node. Without a coordinator it keeps
/// dialling, says so, and after `join_timeout` ends the node with an error that names whom it
/// tried. A coordinator that is lost later is dialled again in the same way, but while the node
/// takes part in a job it is looked for as long as it takes.

#include "actors/actors.hpp"
#include "actors/env/clock.hpp"
#include "actors/node/context.hpp"
#include "config/node_config.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gradmesh::node {

/// The node's own actors, which are told about links.
struct local_actors {
  coordinator_actor coordinator; // may be null
  std::vector<worker_actor> workers;
  std::vector<server_shard_actor> shards;
};

struct agent_options {
  config::node_config config;
  /// What the node offers, and the actors that do.
  std::map<mesh::service_id, caf::actor> services;
  local_actors locals;
  /// Called once, when the node has to end; without an error when it was asked to.
  std::function<void(error)> on_end;
};

struct node_agent_state {
  using pointer = node_actor::stateful_pointer<node_agent_state>;

  pointer self = nullptr;
  context_ptr context;
  agent_options options;

  void join(const std::string& endpoint);
  void on_registered(const mesh::message<schema::Registered>& registered);
  result<void> on_view(schema::View::Reader view);
  void on_refused(const error& why);
  void on_up(const env::peer& who);
  void on_down(const env::peer& who, const error& why);
  void on_connect_failed(const config::endpoint& to, const error& why);
  void on_tick();
  void end(const error& why);

private:
  struct needed_member {
    config::endpoint at;
    std::string name;
    bool dialling = false;
  };

  void seek_coordinator();
  bool takes_part_in_job() const;
  void say_whom_it_waits_for(env::time_point now);
  void register_at(const mesh::node_uuid& coordinator);
  void beat();
  void dial_needed();
  bool works_with(schema::Member::Reader member, const mesh::node_uuid& uuid) const;

  std::string endpoint_; // where the node listens; empty when it does not
  std::chrono::milliseconds interval_{};
  std::optional<mesh::node_uuid> coordinator_; // linked to
  bool registered_ = false;
  bool was_member_ = false;
  mesh::frame_header heard_;   // the latest that the coordinator said to this node as its member
  env::time_point asked_at_{}; // to be registered, last
  bool dialling_coordinator_ = false;
  std::optional<env::time_point> seeking_since_; // no coordinator since then
  env::time_point noticed_at_{};                 // last time it was said whom the node waits for
  std::uint64_t attempts_ = 0;
  std::string last_failure_;
  std::set<mesh::node_uuid> up_;
  std::map<mesh::node_uuid, needed_member> needed_;
  bool ended_ = false;
};

node_actor::behavior_type node_agent(node_agent_state::pointer self, context_ptr context,
                                     agent_options options);

} // namespace gradmesh::node
