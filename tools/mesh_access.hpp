#pragma once

/// How a client reaches a mesh: its coordinator's address, its name, and who the client is.

#include "actors/env/network/tls/tls_context.hpp"
#include "config/endpoint.hpp"
#include "tools/options.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace gradmesh::tools {

struct mesh_access {
  config::endpoint coordinator;
  std::string cluster = "gradmesh";
  std::optional<env::tls_settings> tls; // without: the mesh does without TLS too
  /// For the link, and for each answer.
  std::chrono::milliseconds limit{10'000};
};

/// --coordinator, --cluster, --tls, --timeout.
void add_access_options(po::options_description& options);
/// Errors: `invalid_argument`, for the usage.
result<mesh_access> access_of(const po::variables_map& values);

/// The files PREFIX.crt and PREFIX.key, as `gradmesh tls issue` makes them, and the ca.crt in the
/// same folder.
env::tls_settings tls_files(const std::string& prefix, const std::string& cluster);

} // namespace gradmesh::tools
