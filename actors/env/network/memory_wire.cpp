#include "actors/env/network/memory_wire.hpp"

#include "actors/env/network/send_rules.hpp"

#include <algorithm>

namespace gradmesh::env {
namespace {

constexpr std::uint16_t first_free_port = 49'152;

error closed_by_peer() {
  return {errc::node_lost, "the peer closed the connection"};
}

} // namespace

void memory_wire::enter(const memory_node_ptr& node, network_events events) {
  const lock held(mutex_);
  node->events = std::move(events);
  node->on_wire = true;
  nodes_.push_back(node);
}

void memory_wire::leave(const memory_node_ptr& node, const error& why) {
  lock held(mutex_);
  remove(held, node, why);
  deliver(held);
}

void memory_wire::cut(const mesh::node_uuid& uuid) {
  lock held(mutex_);
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& node) {
    return node->own.identity.uuid == uuid;
  });
  if (found == nodes_.end()) return;
  remove(held, memory_node_ptr(*found), {errc::node_lost, "the connection was cut"});
  deliver(held);
}

void memory_wire::remove(lock& held, const memory_node_ptr& node, const error& why) {
  if (!std::exchange(node->on_wire, false)) return;
  std::erase(nodes_, node);
  std::erase_if(listeners_, [&](const auto& item) { return item.second == node; });
  while (!node->peers.empty())
    part(node, node->peers.begin()->first, {}, why);
  node->inbox.clear();
  delivered_.wait(held, [&] {
    return node->deliverer == std::thread::id{} || node->deliverer == std::this_thread::get_id();
  });
}

result<config::endpoint> memory_wire::listen(const memory_node_ptr& node,
                                             const config::endpoint& at) {
  const lock held(mutex_);
  auto bound = at;
  if (bound.port == 0)
    for (bound.port = first_free_port; listeners_.contains({bound.host, bound.port});)
      if (++bound.port == 0)
        return {errc::io_failed, "cannot listen on " + config::to_string(at) + ": no free port"};
  if (!listeners_.try_emplace({bound.host, bound.port}, node).second)
    return {errc::io_failed, "cannot listen on " + config::to_string(at) +
                                 ": Address already in use; choose another one, or port 0"};
  return bound;
}

void memory_wire::connect(const memory_node_ptr& node, const config::endpoint& to) {
  lock held(mutex_);
  if (!node->on_wire) return;
  const auto listener = admit(node, to);
  if (!listener) {
    post(node,
         [n = node.get(), to, why = listener.failure()] { n->events.on_connect_failed(to, why); });
  } else {
    const auto join = [&](const memory_node_ptr& here, const memory_node_ptr& there) {
      const peer who{there->own.identity, there->own.node_name, there->own.roles, to};
      here->peers[who.identity.uuid] = {there, who};
      post(here, [n = here.get(), who] { n->events.on_peer_up(who); });
    };
    join(*listener, node);
    join(node, *listener);
  }
  deliver(held);
}

result<memory_node_ptr> memory_wire::admit(const memory_node_ptr& dialer,
                                           const config::endpoint& to) {
  const auto found = listeners_.find({to.host, to.port});
  if (found == listeners_.end())
    return {errc::unreachable, "cannot reach " + config::to_string(to) +
                                   ": Connection refused; is a node running and listening there?"};
  const auto listener = found->second;
  const auto refused = [&](const error& why) -> error {
    return {why.code, config::to_string(to) + " refused the connection: " + why.text};
  };
  if (auto agreed = agree(listener->own, dialer->own); !agreed) return refused(agreed.failure());
  const auto replace = [&](const memory_node_ptr& here, const mesh::node_identity& newcomer) {
    const auto at = here->peers.find(newcomer.uuid);
    if (at == here->peers.end()) return error{};
    const auto& held_identity = at->second.who.identity;
    if (newcomer.incarnation <= held_identity.incarnation)
      return already_connected(held_identity, newcomer);
    part(here, newcomer.uuid, replaced_by(newcomer), closed_by_peer());
    return error{};
  };
  if (auto why = replace(listener, dialer->own.identity)) return refused(why);
  if (auto why = replace(dialer, listener->own.identity)) return why;
  return listener;
}

result<void> memory_wire::send(const memory_node_ptr& node, const mesh::node_uuid& to,
                               mesh::frame_ptr f) {
  if (auto sendable = check_sendable(*f, node->own.identity); !sendable) return sendable;
  lock held(mutex_);
  const auto found = node->peers.find(to);
  if (found == node->peers.end()) return no_such_peer(to);
  const auto lane = static_cast<std::size_t>(f->header.lane);
  const auto bytes = f->wire_bytes();
  const auto waiting = found->second.waiting;
  const bool bulk = f->header.lane == mesh::lane::bulk;
  const auto bytes_max = bulk ? node->options.queue_bytes_max : control_queue_bytes_max;
  if ((*waiting)[lane] > 0 && (*waiting)[lane] + bytes > bytes_max) {
    if (bulk) {
      ++node->counters.sends_refused;
      return bulk_queue_full(to, bytes, bytes_max);
    }
    const auto full = control_queue_full(to, bytes);
    part(node, to, full, closed_by_peer());
    deliver(held);
    return full;
  }
  (*waiting)[lane] += bytes;
  ++node->counters.frames_sent;
  node->counters.bytes_sent += bytes;
  const auto receiver = found->second.node;
  ++receiver->counters.frames_received;
  receiver->counters.bytes_received += bytes;
  post(receiver, [n = receiver.get(), f = std::move(f), waiting, lane, bytes] {
    (*waiting)[lane] -= bytes;
    n->events.on_frame(f);
  });
  deliver(held);
  return {};
}

void memory_wire::disconnect(const memory_node_ptr& node, const mesh::node_uuid& from,
                             const error& why) {
  lock held(mutex_);
  part(node, from, why, closed_by_peer());
  deliver(held);
}

void memory_wire::part(const memory_node_ptr& node, const mesh::node_uuid& from, const error& why,
                       const error& why_for_peer) {
  const auto forget = [this](const memory_node_ptr& here, const mesh::node_uuid& there,
                             const error& reason) {
    auto gone = here->peers.extract(there);
    if (gone.empty()) return memory_node_ptr{};
    post(here, [n = here.get(), who = gone.mapped().who, reason] {
      n->events.on_peer_down(who, reason);
    });
    return gone.mapped().node;
  };
  if (const auto other = forget(node, from, why))
    forget(other, node->own.identity.uuid, why_for_peer);
}

network_stats memory_wire::stats(const memory_node& node) const {
  const lock held(mutex_);
  auto now = node.counters;
  for (const auto& [uuid, connected] : node.peers)
    for (const auto& bytes : *connected.waiting)
      now.queued_bytes += bytes;
  return now;
}

void memory_wire::post(const memory_node_ptr& node, std::function<void()> event) {
  node->inbox.push_back(std::move(event));
  posted_.push_back(node);
}

void memory_wire::deliver(lock& held) {
  while (!posted_.empty()) {
    const auto node = std::move(posted_.front());
    posted_.pop_front();
    if (node->deliverer == std::thread::id{}) deliver_to(held, *node);
  }
}

void memory_wire::deliver_to(lock& held, memory_node& node) {
  while (node.on_wire && !node.inbox.empty()) {
    const auto event = std::move(node.inbox.front());
    node.inbox.pop_front();
    node.deliverer = std::this_thread::get_id();
    held.unlock();
    event();
    held.lock();
    node.deliverer = {};
  }
  delivered_.notify_all();
}

} // namespace gradmesh::env
