#pragma once

/// A node and a link on the simulated wire. Internal to simulated_wire.

#include "actors/env/network/handshake.hpp"
#include "tools/simulation/simulated_wire.hpp"

#include <array>
#include <deque>

namespace gradmesh::simulation {

struct wire_node {
  wire_node(host_id h, env::network_options o)
      : host(h), options(std::move(o)), own(env::greeting_of(options)) {}

  struct connected {
    wire_link_ptr link;
    std::size_t side = 0; // its own
  };

  const host_id host;
  const env::network_options options;
  const env::greeting own;
  env::network_events events;
  bool on_wire = false;
  std::map<mesh::node_uuid, connected> peers;
  env::network_stats counters;
};

/// Frames of one direction, lane and priority, in their order.
struct wire_channel {
  std::size_t sender = 0;                                         // side
  std::deque<std::pair<env::time_point, mesh::frame_ptr>> frames; // with when they are due
  bool scheduled = false; // a task will look at the first frame
};

struct wire_link {
  enum class side_state : std::uint8_t { pending, up, down };
  struct side {
    wire_node_ptr node;
    env::peer who; // the peer
    side_state state = side_state::pending;
    std::array<std::size_t, mesh::lane_count> waiting_bytes{}; // sent, not delivered
  };

  std::array<side, 2> ends; // dialer, listener
  /// By sender, lane, priority.
  std::map<std::array<std::size_t, 3>, wire_channel> channels;
  bool severed = false;      // nothing more is delivered
  bool reset_on_way = false; // the side that is left will be told
};

} // namespace gradmesh::simulation
