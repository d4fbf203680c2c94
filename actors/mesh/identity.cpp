#include "actors/mesh/identity.hpp"

namespace gradmesh::mesh {
namespace {

std::string kind_name(service_kind kind) {
  switch (kind) {
  case service_kind::none:
    return "none";
  case service_kind::node:
    return "node";
  case service_kind::coordinator:
    return "coordinator";
  case service_kind::server_shard:
    return "server-shard";
  case service_kind::worker:
    return "worker";
  case service_kind::data_server:
    return "data-server";
  case service_kind::client:
    return "client";
  case service_kind::local_data:
    return "local-data";
  }
  return "service-kind-" + std::to_string(static_cast<unsigned>(kind));
}

/// A node has one of these at most, so their names carry no index.
bool is_single(service_kind kind) {
  return kind == service_kind::none || kind == service_kind::node ||
         kind == service_kind::coordinator;
}

} // namespace

std::string short_name(const node_uuid& uuid) {
  constexpr char digits[] = "0123456789abcdef";
  std::string name;
  for (std::size_t i = 0; i < 4; ++i) {
    name += digits[uuid[i] >> 4];
    name += digits[uuid[i] & 15];
  }
  return name;
}

std::string to_string(service_id service) {
  auto name = kind_name(service.kind);
  if (is_single(service.kind) && service.index == 0) return name;
  return name + "-" + std::to_string(service.index);
}

} // namespace gradmesh::mesh
