#pragma once

/// Makes the certificates of a mesh: a CA, and the certificates of its nodes. Texts in, texts out;
/// who calls keeps the keys from other eyes. Keys are on the curve P-256.

#include "actors/env/network/tls/tls_peer.hpp"

#include <cstdint>
#include <vector>

namespace gradmesh::env {

/// Seconds since 1970.
struct validity {
  std::int64_t from_s = 0;
  std::int64_t until_s = 0;
};

/// PEM.
struct certificate_and_key {
  std::string certificate;
  std::string key;
};

/// The CA of a cluster, which is kept in it. Errors: `invalid_argument` (the name), `io_failed`
/// (OpenSSL).
result<certificate_and_key> make_authority(const std::string& cluster, const validity& valid);

struct node_request {
  std::string node_name;
  mesh::role_set roles;
  /// Names and addresses that the node may be dialled at; none: all.
  std::vector<std::string> hosts;
  validity valid;
};

/// A certificate for a node of the CA's cluster, good for both sides of a connection.
/// Errors: `malformed_data` (the CA's PEM texts), `invalid_argument` (a name or host; valid for
/// longer than the CA; the key is not the CA's), `io_failed` (OpenSSL).
result<certificate_and_key> issue(const certificate_and_key& authority, const node_request& wanted);

} // namespace gradmesh::env
