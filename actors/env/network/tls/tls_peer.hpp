#pragma once

/// Who the other end of a TLS link is, as the URI in its certificate's subject alternative names
/// says:
///
///     gradmesh://<cluster>/<node-name>?roles=coordinator,server
///
/// Names have 1..255 letters, digits, '.', '_', '+' or '-'; there are no escapes. A certificate has
/// exactly one URI. The mesh's CA vouches for all of it.

#include "actors/error.hpp"
#include "actors/mesh/roles.hpp"

#include <string>
#include <string_view>

namespace gradmesh::env {

struct tls_peer {
  std::string cluster;
  std::string node_name;
  mesh::role_set roles;

  bool operator==(const tls_peer&) const = default;
};

std::string to_uri(const tls_peer& who);

/// Errors: `malformed_message`, with the part that is wrong.
result<tls_peer> parse_uri(std::string_view uri);

/// Whether a cluster or node may have this name. Errors: `invalid_argument`.
result<void> check_name(const std::string& name);

} // namespace gradmesh::env
