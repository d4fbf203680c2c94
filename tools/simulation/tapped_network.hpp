#pragma once

/// A network on which every frame can be seen, and repeated, when it is sent.

#include "actors/env/network/network.hpp"

#include <functional>
#include <memory>

namespace gradmesh::simulation {

/// Told of each frame and the node that it goes to; how often it is sent: 1, or 2 to repeat it.
using wire_tap = std::function<unsigned(const mesh::node_uuid& to, const mesh::frame_ptr& f)>;

std::shared_ptr<env::network> make_tapped_network(std::shared_ptr<env::network> below,
                                                  wire_tap tap);

} // namespace gradmesh::simulation
