#pragma once

/// What certificates say, for people and scripts.

#include "actors/env/network/tls/tls_peer.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace gradmesh::env {

struct certificate_facts {
  std::string subject; // common names, made printable
  std::string issuer;
  std::optional<tls_peer> node;             // if it names one
  std::optional<std::string> authority_for; // the cluster, if it is the CA of one
  std::vector<std::string> hosts;
  std::int64_t valid_from_s = 0; // since 1970
  std::int64_t valid_until_s = 0;
  std::string sha256; // fingerprint: 64 hex digits
};

/// Of every certificate in a PEM text that came from `file`. Errors: `malformed_data`.
result<std::vector<certificate_facts>> describe_certificates(std::string_view pem,
                                                             const std::string& file);

/// "2027-03-01 12:00:00 UTC".
std::string time_text(std::int64_t seconds);

} // namespace gradmesh::env
