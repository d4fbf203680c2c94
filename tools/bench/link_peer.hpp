#pragma once

/// The receiving process of `gradmesh bench link`: acknowledges each frame from the thread that it
/// came on. Says {"endpoint": "127.0.0.1:4711"} when it listens, and answers each line on standard
/// input with {"cpu_seconds": 1.5}, what it has used so far.

#include "tools/exit_code.hpp"

#include <string>
#include <vector>

namespace gradmesh::tools::bench {

exit_code link_peer(const std::vector<std::string>& arguments);

} // namespace gradmesh::tools::bench
