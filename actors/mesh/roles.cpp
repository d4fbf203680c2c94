#include "actors/mesh/roles.hpp"

#include "config/diagnostic.hpp"

#include <algorithm>
#include <optional>

namespace gradmesh::mesh {
namespace {

std::optional<role> find(std::string_view name) {
  for (const auto r : all_roles)
    if (to_string(r) == name) return r;
  return std::nullopt;
}

std::string all_names() {
  std::string text;
  for (const auto r : all_roles)
    text.append(text.empty() ? "" : ", ").append(to_string(r));
  return text;
}

error no_roles(std::string_view text, const std::string& why) {
  return {errc::invalid_argument, config::quoted(text) + " is no list of roles: " + why +
                                      "; name one or more of " + all_names() +
                                      ", separated by commas"};
}

} // namespace

std::string_view to_string(role r) {
  switch (r) {
  case role::coordinator:
    return "coordinator";
  case role::server:
    return "server";
  case role::worker:
    return "worker";
  case role::data_server:
    return "data-server";
  case role::client:
    return "client";
  }
  return {};
}

std::string to_string(role_set roles) {
  std::string text;
  for (const auto r : all_roles)
    if (roles.has(r)) text.append(text.empty() ? "" : ",").append(to_string(r));
  return text;
}

result<role_set> parse_roles(std::string_view text) {
  role_set roles;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto name = text.substr(begin, end - begin);
    const auto found = find(name);
    if (!found) return no_roles(text, config::quoted(name) + " is not known");
    if (roles.has(*found)) return no_roles(text, config::quoted(name) + " stands there twice");
    roles.add(*found);
    begin = end + 1;
  }
  return roles;
}

} // namespace gradmesh::mesh
