#pragma once

#include "tools/exit_code.hpp"

#include <string>
#include <vector>

namespace gradmesh::tools::bench {

exit_code gpu_command(const std::vector<std::string>& arguments);

} // namespace gradmesh::tools::bench
