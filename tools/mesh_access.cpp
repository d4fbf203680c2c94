#include "tools/mesh_access.hpp"

#include <filesystem>

namespace gradmesh::tools {
namespace {

constexpr double timeout_max_s = 3600;

} // namespace

void add_access_options(po::options_description& options) {
  options.add_options()(
      "coordinator,c",
      po::value<std::string>()->default_value("127.0.0.1:7700")->value_name("HOST:PORT"),
      "where the coordinator listens")(
      "cluster", po::value<std::string>()->default_value("gradmesh")->value_name("NAME"),
      "name of the mesh (node.cluster of its nodes)")(
      "tls", po::value<std::string>()->value_name("PREFIX"),
      "for a mesh with TLS: PREFIX.crt and PREFIX.key of a client (gradmesh tls issue), with "
      "ca.crt beside them")("timeout",
                            po::value<double>()->default_value(10)->value_name("SECONDS"),
                            "how long to wait for the coordinator's answers");
}

result<mesh_access> access_of(const po::variables_map& values) {
  mesh_access access;
  const auto coordinator = config::parse_endpoint(values["coordinator"].as<std::string>());
  if (!coordinator) return {errc::invalid_argument, "--coordinator " + coordinator.failure().text};
  const auto timeout = values["timeout"].as<double>();
  if (!(timeout > 0 && timeout <= timeout_max_s))
    return {errc::invalid_argument, "--timeout has to be a number of seconds in 0..3600"};
  access.coordinator = *coordinator;
  access.cluster = values["cluster"].as<std::string>();
  access.limit = std::chrono::milliseconds(static_cast<long>(timeout * 1000));
  if (values.count("tls") > 0)
    access.tls = tls_files(values["tls"].as<std::string>(), access.cluster);
  return access;
}

env::tls_settings tls_files(const std::string& prefix, const std::string& cluster) {
  return {.ca = (std::filesystem::path(prefix).parent_path() / "ca.crt").string(),
          .certificate = prefix + ".crt",
          .key = prefix + ".key",
          .cluster = cluster};
}

} // namespace gradmesh::tools
