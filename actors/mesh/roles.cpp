#include "actors/mesh/roles.hpp"

#include "config/diagnostic.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace gradmesh::mesh {
namespace {

struct role_name {
  role value;
  std::string_view name;
};
constexpr std::array names{
    role_name{role::coordinator, "coordinator"}, role_name{role::server, "server"},
    role_name{role::worker, "worker"},           role_name{role::data_server, "data-server"},
    role_name{role::client, "client"},
};

std::optional<role> find(std::string_view name) {
  for (const auto& known : names)
    if (known.name == name) return known.value;
  return std::nullopt;
}

std::string all_names() {
  std::string text;
  for (const auto& known : names)
    text.append(text.empty() ? "" : ", ").append(known.name);
  return text;
}

error no_roles(std::string_view text, const std::string& why) {
  return {errc::invalid_argument, config::quoted(text) + " is no list of roles: " + why +
                                      "; name one or more of " + all_names() +
                                      ", separated by commas"};
}

} // namespace

std::string_view to_string(role r) {
  return names.at(static_cast<std::size_t>(r)).name;
}

std::string to_string(role_set roles) {
  std::string text;
  for (const auto& known : names)
    if (roles.has(known.value)) text.append(text.empty() ? "" : ",").append(known.name);
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
