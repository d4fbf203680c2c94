#pragma once

/// Who is in the mesh. Plain code: time comes in by argument.
///
/// A member is known by its uuid; one that registers again with a higher incarnation is a new
/// member in the place of the old. The epoch grows by one with every change.
///
/// A heartbeat is a sign of life if its sender has heard from the coordinator since the one before:
/// who hears nothing is of no more use than who says nothing. A member whose link breaks has a
/// little time to come back over another one. While nobody at all is there, of two or more, it is
/// probably this node that is cut off, and they wait for it.

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
  env::time_point last_heard;  // sign of life
  std::uint64_t has_heard = 0; // the latest of the coordinator's messages that it has answered
  message<schema::Heartbeat> heartbeat; // the latest, when there was one
  bool has_heartbeat = false;
  /// Its link broke then, and why.
  std::optional<std::pair<env::time_point, error>> unlinked;
};

/// A member that is to be given up.
struct casualty {
  mesh::node_uuid uuid;
  error why;
};

class membership {
public:
  /// `silence_max`: between two signs of life; `unlinked_max`: without a link.
  membership(const mesh::node_uuid& self, std::chrono::milliseconds silence_max,
             std::chrono::milliseconds unlinked_max, env::time_point now)
      : self_(self), silence_max_(silence_max), unlinked_max_(unlinked_max), last_check_(now) {}

  std::uint64_t epoch() const { return epoch_; }
  const std::map<mesh::node_uuid, member>& members() const { return members_; }
  const member* find(const mesh::node_uuid& uuid) const;
  /// The member with server shards that is dialled there.
  std::optional<mesh::node_uuid> find_server_at(const std::string& endpoint) const;

  /// True if membership changed. Errors: `refused` (an older incarnation, an unknown service, the
  /// mesh is full).
  result<bool> admit(const message<schema::Register>& request, env::time_point now);
  /// Errors: `refused` for a node that is no member: it should register.
  result<void> heard_from(const message<schema::Heartbeat>& heartbeat, env::time_point now);
  /// The member that is no more. Should the same life of it come back, that is a new member, and
  /// counted.
  std::optional<member> remove(const mesh::node_uuid& uuid);

  /// The link to a member broke. One that registers again over another link stays a member.
  void link_lost(const mesh::node_identity& who, const error& why, env::time_point now);

  /// Members without a sign of life, or without a link, for longer than the limits. Everybody gets
  /// a new chance if this process itself was paused for half of the first, or has been cut off (for
  /// at most `alone_max`) and is not any more.
  std::vector<casualty> casualties(env::time_point now);

  /// All services of a kind, ordered by node name, uuid, index.
  std::vector<job::place> services(mesh::service_kind kind) const;

  mesh::draft<schema::View> view() const;

  /// Members that were removed, and how many of them came back in the same life: they had been
  /// silent, not dead.
  std::uint64_t removed() const { return removed_; }
  std::uint64_t returned() const { return returned_; }

private:
  /// Nothing of the others for half of the time after which they are given up.
  bool is_alone(env::time_point now) const;
  void give_new_chance(env::time_point now);

  mesh::node_uuid self_;
  std::chrono::milliseconds silence_max_;
  std::chrono::milliseconds unlinked_max_;
  env::time_point last_check_;
  std::optional<env::time_point> alone_since_;
  std::uint64_t epoch_ = 0;
  std::map<mesh::node_uuid, member> members_;
  std::uint64_t removed_ = 0;
  std::uint64_t returned_ = 0;
  std::map<mesh::node_uuid, std::uint64_t> former_; // incarnation of those removed, not yet back
};

/// Fills in a member for views and status.
void describe(const member& m, schema::Member::Builder out);

} // namespace gradmesh::coordinator
