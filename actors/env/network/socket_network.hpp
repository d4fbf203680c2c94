#pragma once

/// Links over TCP. One thread runs an event loop that does all reading and writing; events come
/// from it. See network.hpp for the contract.

#include "actors/env/network/network.hpp"

#include <memory>

namespace gradmesh::env {

std::unique_ptr<network> make_socket_network(network_options options);

} // namespace gradmesh::env
