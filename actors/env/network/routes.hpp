#pragma once

/// The peers that are up, as senders see them. Any thread.

#include "actors/env/network/send_queue.hpp"
#include "actors/env/network/send_rules.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>

namespace gradmesh::env {

/// One queue per lane.
struct peer_queues {
  peer_queues(mesh::node_identity peer, std::size_t bulk_bytes_max,
              std::atomic<std::uint64_t>& total)
      : identity(peer), control(control_queue_bytes_max, total), bulk(bulk_bytes_max, total) {}

  send_queue& at(mesh::lane l) { return l == mesh::lane::control ? control : bulk; }

  const mesh::node_identity identity;
  send_queue control;
  send_queue bulk;
};

class routes {
public:
  /// Null when the peer is not up.
  std::shared_ptr<peer_queues> find(const mesh::node_uuid& peer) const {
    const std::shared_lock lock(mutex_);
    const auto found = queues_.find(peer);
    return found == queues_.end() ? nullptr : found->second;
  }

  void add(std::shared_ptr<peer_queues> queues) {
    const std::lock_guard lock(mutex_);
    queues_[queues->identity.uuid] = std::move(queues);
  }

  /// Frames that come too late are refused.
  void remove(const mesh::node_uuid& peer) {
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(peer);
    if (found == queues_.end()) return;
    found->second->control.close();
    found->second->bulk.close();
    queues_.erase(found);
  }

private:
  mutable std::shared_mutex mutex_;
  std::map<mesh::node_uuid, std::shared_ptr<peer_queues>> queues_;
};

} // namespace gradmesh::env
