#pragma once

/// What every network checks and says when a frame is handed to it.

#include "actors/error.hpp"
#include "actors/mesh/frame.hpp"

namespace gradmesh::env {

/// Whether `self` may send the frame. Errors: as check_lengths, and `invalid_argument` for a kind
/// that belongs to the handshake or a header with another identity; either would cost the link.
result<void> check_sendable(const mesh::frame& f, const mesh::node_identity& self);

error no_such_peer(const mesh::node_uuid& to);

/// Control frames that may wait for a peer: more means that it is as good as dead.
inline constexpr std::size_t control_queue_bytes_max = 32u << 20;
error control_queue_full(const mesh::node_uuid& to, std::size_t bytes);
error bulk_queue_full(const mesh::node_uuid& to, std::size_t bytes, std::size_t bytes_max);

} // namespace gradmesh::env
