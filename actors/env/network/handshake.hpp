#pragma once

/// The handshake of schema/link.capnp as plain functions: what the frames Hello, Welcome and Refuse
/// say, and whether two nodes fit together. Both network implementations decide by it. Everything a
/// peer wrote is checked and, where people will read it, made printable.

#include "actors/env/network/network.hpp"
#include "actors/env/network/tls/tls_peer.hpp"

#include <array>
#include <optional>

namespace gradmesh::env {

/// A Hello is no longer than this and has no body.
inline constexpr std::uint64_t hello_bytes_max = 64u << 10;

/// What a node says of itself.
struct greeting {
  mesh::node_identity identity;
  protocol_range protocols;
  std::string cluster;
  std::string node_name;
  mesh::role_set roles;
  std::string host; // see shm::this_host()
};
greeting greeting_of(const network_options& options);

/// Shows on a local socket who has dialled; random.
using local_ticket = std::array<std::byte, 16>;
/// Where a dialer on the same host can open its bulk lane.
struct local_offer {
  std::string socket; // empty: nowhere
  local_ticket ticket{};
};

/// Sent in the lowest version that the dialer speaks.
mesh::frame_ptr make_hello(const greeting& own, mesh::lane lane,
                           const local_ticket* ticket = nullptr);
mesh::frame_ptr make_welcome(const greeting& own, mesh::lane lane, std::uint16_t protocol,
                             const local_offer& offer = {});
mesh::frame_ptr make_refuse(const greeting& own, mesh::lane lane, const error& why);

struct hello {
  greeting of;
  std::optional<local_ticket> ticket;
};
/// Errors: `malformed_message`.
result<hello> read_hello(const mesh::frame& f);

struct welcome {
  mesh::node_identity identity;
  std::uint16_t protocol = 0;
  std::string node_name;
  mesh::role_set roles;
  local_offer offer;
};
/// What the listener answered. Errors: `malformed_message`, or the code and text of its Refuse.
result<welcome> read_answer(const mesh::frame& f);

/// Whether a peer is who its certificate says, with no more roles. Errors: `refused`.
result<void> check_certified(const peer& who, const tls_peer& certified);

/// The protocol version for a link between the two, or why there can be none.
/// Errors: `incompatible_peer` (versions, cluster), `refused` (both are the same node).
result<std::uint16_t> agree(const greeting& listener, const greeting& dialer);

/// Why a node that is already connected as `held` cannot connect as `offered`. Call only with
/// offered.incarnation <= held.incarnation; a higher one replaces the link instead.
error already_connected(const mesh::node_identity& held, const mesh::node_identity& offered);

/// Why a link ended whose node has come back with a higher incarnation.
error replaced_by(const mesh::node_identity& successor);

/// The receiver's word on a lane's credit; see schema/link.capnp.
struct lane_credit {
  mesh::lane lane = mesh::lane::control;
  std::uint64_t freed_bytes = 0;
  std::uint64_t window_bytes = 0;
};
mesh::frame_ptr make_credit(const greeting& own, const lane_credit& credit);
/// Errors: `malformed_message`.
result<lane_credit> read_credit(const mesh::frame& f);

/// Whether the message may only stand in the handshake (also: `none`).
bool is_handshake_kind(std::uint16_t kind);
bool is_credit_kind(std::uint16_t kind);
/// Whether message.capnp knows the number.
bool is_known_kind(std::uint16_t kind);

} // namespace gradmesh::env
