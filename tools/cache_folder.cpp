#include "tools/cache_folder.hpp"

#include <cstdlib>

namespace gradmesh::tools {

std::string cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const auto xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/gradmesh";
  if (const auto home = variable("HOME"); !home.empty()) return home + "/.cache/gradmesh";
  return {};
}

} // namespace gradmesh::tools
