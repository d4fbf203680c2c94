#include "actors/coordinator/membership.hpp"

#include "actors/defaults.hpp"

#include <algorithm>
#include <utility>

namespace gradmesh::coordinator {
namespace {

bool is_known(mesh::service_id service) {
  return service.kind >= mesh::service_kind::node && service.kind <= mesh::service_kind::local_data;
}

} // namespace

const member* membership::find(const mesh::node_uuid& uuid) const {
  const auto found = members_.find(uuid);
  return found == members_.end() ? nullptr : &found->second;
}

std::optional<mesh::node_uuid> membership::find_server_at(const std::string& endpoint) const {
  const auto is_shard = [](mesh::service_id s) {
    return s.kind == mesh::service_kind::server_shard;
  };
  for (const auto& [uuid, m] : members_)
    if (!endpoint.empty() && m.endpoint == endpoint && std::ranges::any_of(m.services, is_shard))
      return uuid;
  return std::nullopt;
}

result<bool> membership::admit(const message<schema::Register>& request, env::time_point now) {
  const auto in = *request;
  const auto identity = request.header().from;
  member joined{.identity = identity,
                .name = mesh::text(in.getName()),
                .roles = {},
                .endpoint = mesh::text(in.getEndpoint()),
                .services = {},
                .process_id = in.getProcessId(),
                .version = mesh::text(in.getVersion()),
                .last_heard = now,
                .has_heard = 0,
                .heartbeat = {},
                .has_heartbeat = false,
                .unlinked = {}};
  for (const auto role : in.getRoles())
    joined.roles.push_back(mesh::text(role));
  for (const auto number : in.getServices()) {
    joined.services.push_back(mesh::service_id::from_wire(number));
    if (!is_known(joined.services.back()))
      return error{errc::refused, "node '" + joined.name + "' offers service " +
                                      std::to_string(number) + ", which this coordinator (" +
                                      "protocol " + std::to_string(mesh::protocol_version) +
                                      ") does not know"};
  }
  const auto known = members_.find(identity.uuid);
  if (known != members_.end()) {
    if (known->second.identity.incarnation > identity.incarnation)
      return error{errc::refused, "node '" + joined.name + "' has incarnation " +
                                      std::to_string(identity.incarnation) + "; " +
                                      std::to_string(known->second.identity.incarnation) +
                                      " is a member already"};
    if (known->second.identity == identity) {
      known->second.last_heard = now;
      known->second.unlinked.reset();
      return false;
    }
  } else if (members_.size() >= defaults::coordinator::members_max) {
    return error{errc::limit_exceeded,
                 "the mesh has " + std::to_string(members_.size()) + " nodes, its maximum"};
  }
  members_[identity.uuid] = std::move(joined);
  if (const auto was = former_.extract(identity.uuid); !was.empty())
    returned_ += was.mapped() == identity.incarnation ? 1 : 0;
  ++epoch_;
  return true;
}

result<void> membership::heard_from(const message<schema::Heartbeat>& heartbeat,
                                    env::time_point now) {
  const auto found = members_.find(heartbeat.header().from.uuid);
  if (found == members_.end() || found->second.identity != heartbeat.header().from)
    return error{errc::refused, "this node is not a member; it has to register"};
  auto& m = found->second;
  if (heartbeat.header().in_reply_to > m.has_heard) {
    m.has_heard = heartbeat.header().in_reply_to;
    m.last_heard = now;
  }
  m.heartbeat = heartbeat;
  m.has_heartbeat = true;
  return {};
}

std::optional<member> membership::remove(const mesh::node_uuid& uuid) {
  const auto found = members_.find(uuid);
  if (found == members_.end()) return std::nullopt;
  auto removed = std::move(found->second);
  members_.erase(found);
  ++epoch_;
  ++removed_;
  if (former_.size() >= defaults::coordinator::members_max) former_.erase(former_.begin());
  former_[uuid] = removed.identity.incarnation;
  return removed;
}

void membership::link_lost(const mesh::node_identity& who, const error& why, env::time_point now) {
  const auto found = members_.find(who.uuid);
  // The link of a former life can break later than the next one registers.
  if (found == members_.end() || found->second.identity != who) return;
  found->second.unlinked.emplace(now, why);
}

bool membership::is_alone(env::time_point now) const {
  std::size_t others = 0;
  for (const auto& [uuid, m] : members_) {
    if (uuid == self_) continue;
    ++others;
    if (!m.unlinked && now - m.last_heard <= silence_max_ / 2) return false;
  }
  return others >= 2;
}

void membership::give_new_chance(env::time_point now) {
  for (auto& [uuid, m] : members_) {
    m.last_heard = now;
    if (m.unlinked) m.unlinked->first = now;
  }
}

std::vector<casualty> membership::casualties(env::time_point now) {
  const bool paused = now - std::exchange(last_check_, now) > silence_max_ / 2;
  const bool alone = is_alone(now);
  if (paused || (!alone && alone_since_)) give_new_chance(now);
  if (!alone) alone_since_.reset();
  if (alone && !alone_since_) alone_since_ = now;
  if (alone && now - *alone_since_ < defaults::coordinator::alone_max) return {};
  std::vector<casualty> found;
  for (const auto& [uuid, m] : members_) {
    if (m.unlinked && now - m.unlinked->first >= unlinked_max_) {
      found.push_back({uuid, m.unlinked->second});
      continue;
    }
    // One that has just been admitted does not know yet that it is to beat.
    const auto limit = m.has_heartbeat
                           ? silence_max_
                           : std::max(silence_max_, defaults::coordinator::first_heartbeat_max);
    if (now - m.last_heard > limit)
      found.push_back({uuid,
                       {errc::timed_out, "no heartbeat that shows that it hears this node for " +
                                             std::to_string(limit.count()) + " ms"}});
  }
  return found;
}

std::vector<job::place> membership::services(mesh::service_kind kind) const {
  std::vector<job::place> found;
  for (const auto& [uuid, m] : members_)
    for (const auto service : m.services)
      if (service.kind == kind) found.push_back({{uuid, service}, m.name});
  std::sort(found.begin(), found.end(), [](const job::place& a, const job::place& b) {
    return std::tie(a.name, a.where) < std::tie(b.name, b.where);
  });
  return found;
}

void describe(const member& m, schema::Member::Builder out) {
  out.setUuid(mesh::to_data(m.identity.uuid));
  out.setIncarnation(m.identity.incarnation);
  out.setName(m.name);
  auto roles = out.initRoles(static_cast<unsigned>(m.roles.size()));
  for (unsigned i = 0; i < roles.size(); ++i)
    roles.set(i, m.roles[i]);
  out.setEndpoint(m.endpoint);
  auto services = out.initServices(static_cast<unsigned>(m.services.size()));
  for (unsigned i = 0; i < services.size(); ++i)
    services.set(i, m.services[i].to_wire());
}

mesh::draft<schema::View> membership::view() const {
  mesh::draft<schema::View> view;
  view->setEpoch(epoch_);
  auto out = view->initMembers(static_cast<unsigned>(members_.size()));
  unsigned i = 0;
  for (const auto& [uuid, m] : members_)
    describe(m, out[i++]);
  return view;
}

} // namespace gradmesh::coordinator
