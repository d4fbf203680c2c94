#pragma once

/// What the two processes of `gradmesh bench link` have in common: a network, as a node has one,
/// whose bulk lane is of a given kind.

#include "actors/env/network/network.hpp"
#include "tools/bench/baseline/baseline.hpp"

#include <memory>
#include <optional>

namespace gradmesh::tools::bench {

enum class link_lane : std::uint8_t { tcp, tls, shm };

std::optional<link_lane> parse_lane(const std::string& text);
const char* to_string(link_lane lane);

struct link_setup {
  link_lane lane = link_lane::tcp;
  std::uint64_t bytes_max = 0;  // of a body
  std::optional<tls_files> tls; // for lane tls
  bool touch = false;           // the receiver looks at every cache line of a body
};

/// The two ends. The sender is a worker, the receiver a server.
enum class link_side : std::uint8_t { sender, receiver };

/// Errors: those of env::tls_context::make.
result<std::unique_ptr<env::network>> make_network(const link_setup& setup, link_side side,
                                                   std::function<void(std::string)> log);
mesh::node_identity identity_of(link_side side);

/// A push of a block of the dense parameters, and its acknowledgement: the frames that links carry
/// most. Only message id and body are missing.
mesh::frame push_frame();
mesh::frame pushed_frame();

} // namespace gradmesh::tools::bench
