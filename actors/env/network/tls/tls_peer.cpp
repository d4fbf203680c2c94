#include "actors/env/network/tls/tls_peer.hpp"

#include "config/diagnostic.hpp"
#include "config/value_types.hpp"

namespace gradmesh::env {
namespace {

constexpr std::string_view scheme = "gradmesh://";
constexpr std::string_view roles_key = "?roles=";

error malformed(std::string_view uri, const std::string& why) {
  return {errc::malformed_message,
          config::quoted(uri) + " is not gradmesh://CLUSTER/NODE?roles=ROLE,...: " + why};
}

} // namespace

std::string to_uri(const tls_peer& who) {
  return std::string(scheme) + who.cluster + '/' + who.node_name + std::string(roles_key) +
         mesh::to_string(who.roles);
}

result<tls_peer> parse_uri(std::string_view uri) {
  if (!uri.starts_with(scheme)) return malformed(uri, "it does not begin with gradmesh://");
  const auto slash = uri.find('/', scheme.size());
  if (slash == uri.npos) return malformed(uri, "there is no '/' after the cluster");
  const auto query = uri.find(roles_key, slash);
  if (query == uri.npos) return malformed(uri, "there is no ?roles=");

  tls_peer who{std::string(uri.substr(scheme.size(), slash - scheme.size())),
               std::string(uri.substr(slash + 1, query - slash - 1)),
               {}};
  for (const auto* name : {&who.cluster, &who.node_name})
    if (const auto checked = check_name(*name); !checked)
      return malformed(uri, checked.failure().text);
  const auto roles = mesh::parse_roles(uri.substr(query + roles_key.size()));
  if (!roles) return malformed(uri, roles.failure().text);
  who.roles = *roles;
  return who;
}

result<void> check_name(const std::string& name) {
  const auto checked = config::name_text(false).parse(name);
  if (!checked) return checked.failure();
  return {};
}

} // namespace gradmesh::env
