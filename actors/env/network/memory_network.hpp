#pragma once

/// Links between nodes of one process, for in-process meshes and for tests. A frame is handed over
/// by reference; nothing is copied and no thread is started.
///
/// Deterministic: everything happens on the threads that call. With one calling thread each call
/// returns after all events that follow from it, in order, have been delivered. With several, an
/// event may be delivered by the thread that is just delivering to the same node. Events of one
/// node come one at a time, and no lock is held while they do.
///
/// Addresses are taken as text: "localhost" and "127.0.0.1" are two different hosts.

#include "actors/env/network/network.hpp"

#include <memory>

namespace gradmesh::env {

class memory_wire;

/// The wire that the nodes of one mesh share.
class memory_hub {
public:
  memory_hub();
  ~memory_hub();

  /// Drops a node as if its process had died: its peers are told, itself is not.
  void cut(const mesh::node_uuid& node);

private:
  friend std::unique_ptr<network> make_memory_network(std::shared_ptr<memory_hub> hub,
                                                      network_options options);
  std::shared_ptr<memory_wire> wire_;
};

std::unique_ptr<network> make_memory_network(std::shared_ptr<memory_hub> hub,
                                             network_options options);

} // namespace gradmesh::env
