#pragma once

/// The one place where the configuration library reads the process environment. Only the tools call
/// it, once, before they start threads.

#include <map>
#include <string>

namespace gradmesh::config {

/// All variables of this process whose names begin with "GRADMESH_"; for `overrides::environment`.
std::map<std::string, std::string> environment_overrides();

} // namespace gradmesh::config
