#pragma once

/// The nodes on a memory hub, all behind one mutex, and the delivery of their events. Internal to
/// memory_network.

#include "actors/env/network/handshake.hpp"
#include "actors/env/network/network.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace gradmesh::env {

/// One node. The wire's mutex guards what is not constant.
struct memory_node {
  explicit memory_node(network_options o) : options(std::move(o)), own(greeting_of(options)) {}

  /// Bytes that this node has sent and that have not been delivered, per lane.
  using waiting_bytes = std::array<std::atomic<std::size_t>, mesh::lane_count>;
  struct connected {
    std::shared_ptr<memory_node> node;
    peer who;
    std::shared_ptr<waiting_bytes> waiting = std::make_shared<waiting_bytes>();
  };

  const network_options options;
  const greeting own;
  network_events events; // constant once the node is on the wire
  bool on_wire = false;
  std::map<mesh::node_uuid, connected> peers;
  std::deque<std::function<void()>> inbox; // events that have not been delivered
  std::thread::id deliverer;               // the thread that delivers to this node, if any
  network_stats counters;
};
using memory_node_ptr = std::shared_ptr<memory_node>;

class memory_wire {
public:
  void enter(const memory_node_ptr& node, network_events events);
  /// Takes the node off the wire; its peers go down with `why`. No events for it afterwards.
  void leave(const memory_node_ptr& node, const error& why);
  void cut(const mesh::node_uuid& uuid);

  result<config::endpoint> listen(const memory_node_ptr& node, const config::endpoint& at);
  void connect(const memory_node_ptr& node, const config::endpoint& to);
  result<void> send(const memory_node_ptr& node, const mesh::node_uuid& to, mesh::frame_ptr f);
  void disconnect(const memory_node_ptr& node, const mesh::node_uuid& from, const error& why);
  network_stats stats(const memory_node& node) const;

private:
  using lock = std::unique_lock<std::mutex>;

  result<memory_node_ptr> admit(const memory_node_ptr& dialer, const config::endpoint& to);
  /// Ends the link between two nodes; each is told its own reason.
  void part(const memory_node_ptr& node, const mesh::node_uuid& from, const error& why,
            const error& why_for_peer);
  void remove(lock& held, const memory_node_ptr& node, const error& why);
  void post(const memory_node_ptr& node, std::function<void()> event);
  /// Delivers all that was posted, except to nodes that somebody is delivering to already.
  void deliver(lock& held);
  void deliver_to(lock& held, memory_node& node);

  mutable std::mutex mutex_;
  std::condition_variable delivered_;
  std::vector<memory_node_ptr> nodes_;
  std::map<std::pair<std::string, std::uint16_t>, memory_node_ptr> listeners_;
  std::deque<memory_node_ptr> posted_; // nodes with something in the inbox, in order of posting
};

} // namespace gradmesh::env
