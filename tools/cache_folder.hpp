#pragma once

#include <string>

namespace gradmesh::tools {

/// $XDG_CACHE_HOME/gradmesh, or ~/.cache/gradmesh; empty without a home.
std::string cache_folder();

} // namespace gradmesh::tools
