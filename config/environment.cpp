#include "config/environment.hpp"

#include <string_view>

#include <unistd.h>

namespace gradmesh::config {

std::map<std::string, std::string> environment_overrides() {
  std::map<std::string, std::string> found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const auto equals = variable.find('=');
    if (!variable.starts_with("GRADMESH_") || equals == std::string_view::npos) continue;
    found.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return found;
}

} // namespace gradmesh::config
