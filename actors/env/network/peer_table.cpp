#include "actors/env/network/peer_table.hpp"

#include "actors/env/network/tcp.hpp"

#include <algorithm>

namespace gradmesh::env {

peer_table::peer_table(loop_context& context, routes& up)
    : context_(context), routes_(up), graveyard_(*this) {}

result<peer_table::ticket> peer_table::accept(const peer& who, mesh::lane l, kj::TimePoint deadline,
                                              const std::optional<local_ticket>& shown) {
  const auto& dialer = who.identity;
  const auto index = static_cast<std::size_t>(l);
  auto at = entries_.find(dialer.uuid);
  // First, since who has no ticket may have no certificate either.
  if (shown && (at == entries_.end() || at->second.identity != dialer ||
                at->second.local != shown || l != mesh::lane::bulk))
    return error{errc::refused, "nobody with this ticket is expected on the local socket"};
  if (at != entries_.end() && dialer.incarnation > at->second.identity.incarnation) {
    if (auto later = check_succeeds(at->second, who); !later) return later.failure();
    remove(at, replaced_by(dialer));
    at = entries_.end();
  }
  if (at == entries_.end()) {
    auto& fresh = add(who, false);
    fresh.claimed[index] = true;
    const auto limit = context_.options.handshake_timeout;
    auto late = context_.timer.atTime(deadline).then([this, t = fresh.number, limit] {
      reject(t, "its other lane was not open within " + std::to_string(limit.count()) + " ms");
    });
    fresh.watches.push_back(late.eagerlyEvaluate(nullptr));
    return fresh.number;
  }
  auto& held = at->second;
  if (held.identity != dialer || held.dialled || held.up.get() != nullptr || held.claimed[index])
    return already_connected(held.identity, dialer);
  // What the certificate of its first lane says, if there is one, holds for the local socket too.
  if (held.who.name != who.name || held.who.roles != who.roles)
    return error{errc::refused, "node '" + who.name + "' says on its second lane that it is " +
                                    to_string(who.roles) + ", and said on the first that it is '" +
                                    held.who.name + "' (" + to_string(held.who.roles) + ")"};
  held.claimed[index] = true;
  return held.number;
}

void peer_table::expect_local(ticket t, const local_ticket& expected) {
  if (const auto at = find(t); at != entries_.end()) at->second.local = expected;
}

result<peer_table::ticket> peer_table::claim(const peer& who) {
  const auto& listener = who.identity;
  const auto at = entries_.find(listener.uuid);
  if (at != entries_.end()) {
    const auto& held = at->second;
    const bool newer = listener.incarnation > held.identity.incarnation;
    if (auto later = check_succeeds(held, who); newer && !later) return later.failure();
    const bool crossed = held.identity == listener && !held.dialled && held.up.get() == nullptr;
    if (!newer && !(crossed && context_.own.identity.uuid < listener.uuid))
      return already_connected(held.identity, listener);
    remove(at, replaced_by(listener));
  }
  return add(who, true).number;
}

bool peer_table::open_lane(ticket t, mesh::lane l, kj::Own<connection> opened) {
  const auto at = find(t);
  if (at == entries_.end()) return false;
  auto& e = at->second;
  auto& place = e.waiting[static_cast<std::size_t>(l)];
  place = kj::mv(opened);
  const auto is_open = [](const auto& lane) { return lane.get() != nullptr; };
  if (std::all_of(e.waiting.begin(), e.waiting.end(), is_open)) {
    bring_up(e);
  } else if (!e.dialled && place->shared.get() == nullptr) {
    // Here the dialer is heard if it gives up. The read is not given up when the other lane opens:
    // it may have taken a frame from the stream already, so the link goes on with it.
    place->reader.allow({hello_bytes_max, 0});
    auto reading = place->reader.read_next().fork();
    place->first = reading.addBranch();
    e.watches.push_back(reading.addBranch()
                            .then([this, t](result<mesh::frame_ptr> f) { came_early(t, f); },
                                  [this, t](kj::Exception&&) { abandon(t); })
                            .eagerlyEvaluate(nullptr));
  }
  return true;
}

void peer_table::came_early(ticket t, const result<mesh::frame_ptr>& f) {
  const auto at = find(t);
  if (at == entries_.end()) return;
  if (!f) return f.failure().code == errc::node_lost ? abandon(t) : reject(t, f.failure().text);
  if (!*f) return abandon(t);
  // A dialer that has handed over shared memory is up at once and may be quicker than the news of
  // the memory; nobody else may send before both lanes are open.
  if (!at->second.local) reject(t, "a frame came before the other lane was open");
}

void peer_table::bring_up(entry& e) {
  const auto who = e.who;
  e.watches.clear();
  link::lanes lanes;
  for (std::size_t l = 0; l < lanes.size(); ++l) {
    e.waiting[l]->half_open_place.reset();
    e.waiting[l]->reader.allow({});
    if (e.waiting[l]->shared.get() != nullptr)
      lanes[l] = kj::mv(e.waiting[l]->shared);
    else
      lanes[l] = kj::mv(e.waiting[l]);
    e.waiting[l] = nullptr;
  }
  auto queues = std::make_shared<peer_queues>(e.identity, context_.options.queue_bytes_max,
                                              context_.counters.queued_bytes);
  e.up = kj::heap<link>(context_, who, kj::mv(lanes), queues,
                        [this, identity = e.identity](error why) { drop(identity, why); });
  routes_.add(std::move(queues));
  context_.events.on_peer_up(who);
  e.up->start();
}

void peer_table::abandon(ticket t) {
  const auto at = find(t);
  if (at != entries_.end() && at->second.up.get() == nullptr) remove(at, {});
}

void peer_table::reject(ticket t, const std::string& why) {
  const auto at = find(t);
  if (at == entries_.end() || at->second.up.get() != nullptr) return;
  context_.counters.frames_refused.fetch_add(1, std::memory_order_relaxed);
  context_.log("closed a connection from " + config::to_string(at->second.who.remote) + ": " + why);
  remove(at, {});
}

result<void> peer_table::check_succeeds(const entry& held, const peer& newcomer) const {
  // Without TLS a name says no more than the uuid does.
  if (!context_.options.tls || held.who.name == newcomer.name) return {};
  return {errc::refused, "node " + mesh::short_name(held.identity.uuid) + " is '" + held.who.name +
                             "', so '" + newcomer.name +
                             "' cannot be its next incarnation; give each node its own identity"};
}

void peer_table::wake_writer(const mesh::node_identity& to, mesh::lane l) {
  if (auto* up = find_up(to)) up->wake_writer(l);
}

void peer_table::grant(const mesh::node_identity& to, mesh::lane l) {
  if (auto* up = find_up(to)) up->grant(l);
}

link* peer_table::find_up(const mesh::node_identity& who) {
  const auto at = entries_.find(who.uuid);
  return at != entries_.end() && at->second.identity == who ? at->second.up.get() : nullptr;
}

void peer_table::drop(const mesh::node_identity& who, error why) {
  const auto at = entries_.find(who.uuid);
  if (at != entries_.end() && at->second.identity == who) remove(at, std::move(why));
}

void peer_table::drop(const mesh::node_uuid& who, error why) {
  const auto at = entries_.find(who);
  if (at != entries_.end()) remove(at, std::move(why));
}

kj::Promise<void> peer_table::finish() {
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto here = at++;
    if (here->second.up.get() == nullptr) {
      remove(here, {});
    } else {
      routes_.remove(here->first);
      here->second.up->finish();
    }
  }
  if (entries_.empty()) return kj::READY_NOW;
  auto emptied = kj::newPromiseAndFulfiller<void>();
  emptied_ = kj::mv(emptied.fulfiller);
  return kj::mv(emptied.promise);
}

peer_table::entry& peer_table::add(const peer& who, bool dialled) {
  auto& e = entries_[who.identity.uuid];
  e.identity = who.identity;
  e.who = who;
  e.number = ++last_ticket_;
  e.dialled = dialled;
  return e;
}

peer_table::entries::iterator peer_table::find(ticket t) {
  return std::find_if(entries_.begin(), entries_.end(),
                      [t](const auto& item) { return item.second.number == t; });
}

void peer_table::remove(entries::iterator at, error why) {
  auto gone = kj::mv(at->second);
  entries_.erase(at);
  if (gone.up.get() != nullptr) {
    routes_.remove(gone.identity.uuid);
    context_.events.on_peer_down(gone.up->who(), why);
  }
  // The caller may be a task of the entry, and a task must not destroy itself.
  graveyard_.add(kj::evalLater([buried = kj::mv(gone)] {}));
  if (entries_.empty() && emptied_.get() != nullptr) emptied_->fulfill();
}

void peer_table::taskFailed(kj::Exception&& e) {
  context_.log("closing a connection failed: " + reason_of(e));
}

} // namespace gradmesh::env
