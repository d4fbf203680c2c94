#pragma once

/// INTERNAL: the three files of a node, read and checked against each other.

#include "actors/env/disk.hpp"
#include "actors/env/network/tls/certificate.hpp"
#include "actors/env/network/tls/tls_context.hpp"

namespace gradmesh::env {

struct tls_credentials {
  std::vector<x509_ptr> authorities;
  std::vector<x509_ptr> chain; // the node's own certificate first
  key_ptr key;
  tls_peer own;
  std::vector<std::string> warnings;
};

/// Errors as tls_context::make.
result<tls_credentials> load_credentials(const tls_settings& settings, disk& files);

/// A store that trusts these CAs and nobody else.
store_ptr make_store(const std::vector<x509_ptr>& authorities);

} // namespace gradmesh::env
