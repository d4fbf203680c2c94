#pragma once

/// A network of which every frame leaves later than it was sent: an experiment's slow link, on top
/// of any other network. Nothing else changes: frames to a peer stay in order on each lane, and
/// what waits for a peer is bounded as in the network below.
///
/// Errors: `send` says at once what can be said then. A frame that cannot leave when its time has
/// come is sent again while the peer's queue is full, and lost with the peer.

#include "actors/env/network/network.hpp"

namespace gradmesh::env {

/// Runs a task after a while; the tasks one at a time, never within the call.
using run_later = std::function<void(std::chrono::milliseconds, std::function<void()>)>;

/// `options` are those that `below` was made with.
std::shared_ptr<network> make_delayed_network(std::shared_ptr<network> below,
                                              const network_options& options,
                                              std::chrono::milliseconds delay, run_later later);

} // namespace gradmesh::env
