#pragma once

/// Who is in the mesh. Plain code: time comes in by argument.
///
/// A member is known by its uuid; one that registers again with a higher incarnation is a new
/// member in the place of the old. The epoch grows by one with every change.

#include "actors/env/clock.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/mesh/message.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gradmesh::coordinator {

using mesh::message;

struct member {
  mesh::node_identity identity;
  std::string name;
  std::vector<std::string> roles;
  std::string endpoint; // empty: does not listen
  std::vector<mesh::service_id> services;
  std::uint64_t process_id = 0;
  std::string version;
  env::time_point last_heard;
  message<schema::Heartbeat> heartbeat; // the latest, when there was one
  bool has_heartbeat = false;
};

class membership {
public:
  membership(std::chrono::milliseconds silence_max, env::time_point now)
      : silence_max_(silence_max), last_check_(now) {}

  std::uint64_t epoch() const { return epoch_; }
  const std::map<mesh::node_uuid, member>& members() const { return members_; }
  const member* find(const mesh::node_uuid& uuid) const;

  /// True if membership changed. Errors: `refused` (an older incarnation, an unknown service, the
  /// mesh is full).
  result<bool> admit(const message<schema::Register>& request, env::time_point now);
  /// Errors: `refused` for a node that is no member: it should register.
  result<void> heard_from(const message<schema::Heartbeat>& heartbeat, env::time_point now);
  /// The member that is no more.
  std::optional<member> remove(const mesh::node_uuid& uuid);

  /// Members that have been silent for longer than the limit. If this process itself was paused for
  /// half of that, the silence may be its own: everybody gets a new chance.
  std::vector<member> silent(env::time_point now);

  /// All services of a kind, ordered by node name, uuid, index.
  std::vector<job::place> services(mesh::service_kind kind) const;

  mesh::draft<schema::View> view() const;

private:
  std::chrono::milliseconds silence_max_;
  env::time_point last_check_;
  std::uint64_t epoch_ = 0;
  std::map<mesh::node_uuid, member> members_;
};

/// Fills in a member for views and status.
void describe(const member& m, schema::Member::Builder out);

} // namespace gradmesh::coordinator
