#pragma once

/// Who a node is, and how one of its actors is addressed from another node.

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace gradmesh::mesh {

/// Drawn once for a node and the same over its restarts.
using node_uuid = std::array<std::uint8_t, 16>;

/// The first 8 hex digits, enough for people: "3f2a90c1".
std::string short_name(const node_uuid& uuid);

/// A node between one start and its end. A restarted node has a higher incarnation and is therefore
/// somebody else: what its predecessor was promised, it was not.
struct node_identity {
  node_uuid uuid{};
  std::uint64_t incarnation = 0;

  auto operator<=>(const node_identity&) const = default;
};

enum class service_kind : std::uint16_t {
  none = 0,
  node = 1,
  coordinator = 2,
  server_shard = 3,
  worker = 4,
  data_server = 5,
  client = 6,
  local_data = 7,
};

/// One actor that a node offers to others; the wire number is kind * 65536 + index.
struct service_id {
  service_kind kind = service_kind::none;
  std::uint16_t index = 0;

  static service_id from_wire(std::uint32_t number) {
    return {static_cast<service_kind>(number >> 16), static_cast<std::uint16_t>(number)};
  }
  std::uint32_t to_wire() const { return static_cast<std::uint32_t>(kind) << 16 | index; }
  auto operator<=>(const service_id&) const = default;
};

/// "server-shard-0", "coordinator".
std::string to_string(service_id service);

/// An actor anywhere in the mesh.
struct address {
  node_uuid node{};
  service_id service;

  auto operator<=>(const address&) const = default;
};

} // namespace gradmesh::mesh
