#pragma once

/// The faults of a node file that only show when its options are compared with each other.

#include "config/config_table.hpp"
#include "config/node_config.hpp"

#include <vector>

namespace gradmesh::config {

/// For a node whose options are valid one by one. Empty when the node makes sense.
std::vector<finding> check_node(const node_config& c);

} // namespace gradmesh::config
