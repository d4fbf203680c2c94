#pragma once

/// Where the actors of a node write down how they are, for heartbeats and status. Readers take a
/// snapshot, so nobody who asks ever waits for an actor. Thread-safe.

#include "actors/mesh/identity.hpp"

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace gradmesh::node {

struct service_status {
  std::string state; // one word
  /// Stable names with their unit, e.g. "pushes_total".
  std::vector<std::pair<std::string, double>> gauges;
};

class service_board {
public:
  void set(mesh::service_id service, service_status status) {
    const std::lock_guard lock(mutex_);
    entries_[service] = std::move(status);
  }

  std::map<mesh::service_id, service_status> snapshot() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }

private:
  mutable std::mutex mutex_;
  std::map<mesh::service_id, service_status> entries_;
};

} // namespace gradmesh::node
