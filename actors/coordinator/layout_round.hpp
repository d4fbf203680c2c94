#pragma once

/// A layout on its way to those who have to act on it: sent again until they have taken it. Plain
/// code, one owner.

#include "actors/env/clock.hpp"
#include "actors/job/piece_set.hpp"
#include "actors/job/shard_layout.hpp"
#include "actors/mesh/router.hpp"

#include <map>
#include <set>

namespace gradmesh::coordinator {

/// How far a shard is.
struct shard_progress {
  std::uint64_t clock = 0;
  job::piece_set done;
};

class layout_round {
public:
  layout_round(mesh::router& router, mesh::service_id self) : router_(router), self_(self) {}

  /// Begins with a layout; the one before is not sent any more. `others` have to take it as well,
  /// but nobody waits for them.
  void begin(const job::shard_layout& layout, std::uint64_t job_id,
             const std::vector<job::place>& others, env::time_point now);
  /// Sends it again to those who have not taken it.
  void on_tick(env::time_point now);
  /// Nobody has to take it any more.
  void stop() {
    hosts_open_.clear();
    others_open_.clear();
  }
  /// Forgets who is gone.
  void forget(const mesh::node_uuid& node);
  /// Errors: `malformed_message`. What is about another layout is late and ignored.
  result<void> on_taken(const mesh::message<schema::LayoutTaken>& taken);

  /// All hosts of replicas have taken it.
  bool taken() const { return hosts_open_.empty(); }
  /// Of whom it is not known.
  const std::set<mesh::address>& waiting_for() const { return hosts_open_; }
  /// Of all shards, once it is taken.
  const std::map<std::uint32_t, shard_progress>& progress() const { return progress_; }
  /// Whether a refusal is for one of its messages to a host.
  bool asked(std::uint64_t message_id) const { return asked_.contains(message_id); }

private:
  void send(env::time_point now);

  mesh::router& router_;
  mesh::service_id self_;
  job::shard_layout layout_;
  std::uint64_t job_id_ = 0;
  std::set<mesh::address> hosts_open_;
  std::set<mesh::address> others_open_;
  std::map<std::uint32_t, shard_progress> progress_;
  std::set<std::uint64_t> asked_; // message ids, to hosts
  env::time_point sent_at_;
};

} // namespace gradmesh::coordinator
