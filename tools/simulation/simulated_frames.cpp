/// The frames on the simulated wire: queued, delayed, delivered.

#include "actors/env/network/role_rules.hpp"
#include "actors/env/network/send_rules.hpp"
#include "actors/mesh/message.hpp"
#include "tools/simulation/simulated_link.hpp"

#include <algorithm>

namespace gradmesh::simulation {
namespace {

constexpr std::chrono::milliseconds repeated_after_max{5};
constexpr std::chrono::milliseconds copied_after_max{30};

/// A sender may send it again at any time (schema/parameters.capnp, schema/data.capnp).
bool may_repeat(std::uint16_t kind) {
  return kind == mesh::message_traits<schema::Push>::kind ||
         kind == mesh::message_traits<schema::Pull>::kind ||
         kind == mesh::message_traits<schema::LeaseBatch>::kind;
}

/// The same of copies (schema/replication.capnp, schema/checkpointing.capnp).
bool makes_copy(std::uint16_t kind) {
  return kind == mesh::message_traits<schema::Replicate>::kind ||
         kind == mesh::message_traits<schema::SnapshotChunk>::kind ||
         kind == mesh::message_traits<schema::RestoreChunk>::kind;
}

} // namespace

result<void> simulated_wire::send(const wire_node_ptr& node, const mesh::node_uuid& to,
                                  mesh::frame_ptr f) {
  if (auto sendable = env::check_sendable(*f, node->own.identity); !sendable) return sendable;
  const auto found = node->peers.find(to);
  if (found == node->peers.end()) return env::no_such_peer(to);
  const auto [link, side] = found->second;
  auto& end = link->ends[side];
  if (end.state != wire_link::side_state::up) return env::no_such_peer(to);
  const auto bytes = f->wire_bytes();
  auto& waiting = end.waiting_bytes[static_cast<std::size_t>(f->header.lane)];
  const bool bulk = f->header.lane == mesh::lane::bulk;
  const auto bytes_max = bulk ? node->options.queue_bytes_max : env::control_queue_bytes_max;
  if (waiting > 0 && waiting + bytes > bytes_max) {
    if (bulk) {
      ++node->counters.sends_refused;
      return env::bulk_queue_full(to, bytes, bytes_max);
    }
    const auto full = env::control_queue_full(to, bytes);
    close(link, side, full, true);
    return full;
  }
  waiting += bytes;
  ++node->counters.frames_sent;
  node->counters.bytes_sent += bytes;
  if (link->ends[1 - side].state == wire_link::side_state::down)
    reset(link, side);
  else
    put(link, side, std::move(f));
  return {};
}

void simulated_wire::put(const wire_link_ptr& link, std::size_t sender, mesh::frame_ptr f) {
  const auto& h = f->header;
  auto& channel = link->channels[{sender, static_cast<std::size_t>(h.lane), h.priority}];
  channel.sender = sender;
  const way on{link->ends[sender].node->host, link->ends[1 - sender].node->host};
  auto due = time_.now + delay(on);
  if (!channel.frames.empty()) due = std::max(due, channel.frames.back().first);
  channel.frames.emplace_back(due, std::move(f));
  schedule(link, channel);
}

void simulated_wire::schedule(const wire_link_ptr& link, wire_channel& channel) {
  if (channel.frames.empty() || std::exchange(channel.scheduled, true)) return;
  time_.at(channel.frames.front().first, [this, link, &channel] { deliver(link, channel); });
}

void simulated_wire::deliver(const wire_link_ptr& link, wire_channel& channel) {
  const auto receiver = 1 - channel.sender;
  const auto& end = link->ends[receiver];
  channel.scheduled = false;
  if (link->severed || end.state == wire_link::side_state::down) return channel.frames.clear();
  if (end.state == wire_link::side_state::pending) return; // `come_up` schedules it again
  const auto later = [this, link, &channel] { deliver(link, channel); };
  const way on{link->ends[channel.sender].node->host, end.node->host};
  channel.scheduled = true;
  if (blocked_.contains(on)) return waiting_for_way_[on].push_back(later);
  if (hung_.contains(on.second)) return waiting_for_host_[on.second].push_back(later);
  channel.scheduled = false;
  const auto f = std::move(channel.frames.front().second);
  channel.frames.pop_front();
  schedule(link, channel);
  hand_over(link, receiver, f);
}

void simulated_wire::hand_over(const wire_link_ptr& link, std::size_t receiver,
                               const mesh::frame_ptr& f) {
  auto& sender = link->ends[1 - receiver];
  const auto& end = link->ends[receiver];
  const auto node = end.node;
  const auto bytes = f->wire_bytes();
  auto& waiting = sender.waiting_bytes[static_cast<std::size_t>(f->header.lane)];
  waiting -= std::min(waiting, bytes); // a repeated one does not count
  ++node->counters.frames_received;
  node->counters.bytes_received += bytes;
  if (on_delivery)
    on_delivery({time_.now, sender.node->host, node->host, node->own.identity.uuid, f});
  const bool copies = options_.repeats_copies && makes_copy(f->header.kind);
  if (options_.repeat_one_in > 0 && (copies || may_repeat(f->header.kind)) &&
      time_.once_in(options_.repeat_one_in))
    time_.after(time_.up_to(copies ? copied_after_max : repeated_after_max),
                [this, link, receiver, f] { put(link, 1 - receiver, f); });
  if (const auto senders = env::senders_of(f->header.kind); !end.who.roles.has_any(senders)) {
    ++node->counters.roles_refused;
    return node->events.on_refused(
        f, {errc::refused,
            "node '" + end.who.name + "' has none of the roles " + mesh::to_string(senders)});
  }
  node->events.on_frame(f);
}

} // namespace gradmesh::simulation
