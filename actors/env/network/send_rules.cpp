#include "actors/env/network/send_rules.hpp"

#include "actors/env/network/handshake.hpp"

namespace gradmesh::env {

result<void> check_sendable(const mesh::frame& f, const mesh::node_identity& self) {
  const auto kind = f.header.kind;
  if (is_handshake_kind(kind) || is_credit_kind(kind) || !is_known_kind(kind))
    return {errc::invalid_argument, "frame of kind " + std::to_string(kind) +
                                        ", which no actor may send (see message.capnp)"};
  if (f.header.message_id == 0) return {errc::invalid_argument, "frame without a message id"};
  if (f.header.from != self)
    return {errc::invalid_argument, "frame from node " + mesh::short_name(f.header.from.uuid) +
                                        " handed to the network of node " +
                                        mesh::short_name(self.uuid)};
  return mesh::check_lengths(f);
}

error no_such_peer(const mesh::node_uuid& to) {
  return {errc::unreachable, "no link to node " + mesh::short_name(to) + " is up"};
}

error control_queue_full(const mesh::node_uuid& to, std::size_t bytes) {
  return {errc::limit_exceeded,
          "node " + mesh::short_name(to) + " does not read: a frame of " + std::to_string(bytes) +
              " bytes finds no room in the control queue of " +
              std::to_string(control_queue_bytes_max) + " bytes; the link is dropped"};
}

error bulk_queue_full(const mesh::node_uuid& to, std::size_t bytes, std::size_t bytes_max) {
  return {errc::retry_later, "a frame of " + std::to_string(bytes) +
                                 " bytes finds no room in the bulk queue of " +
                                 std::to_string(bytes_max) + " bytes (node.queue_mib) to node " +
                                 mesh::short_name(to) + ", which does not read as fast"};
}

} // namespace gradmesh::env
