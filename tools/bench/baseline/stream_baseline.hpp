#pragma once

/// The two ends of a baseline over a stream. The first byte of each message says what the reader
/// does with it, so that nothing but messages is on the way.

#include "tools/bench/baseline/byte_stream.hpp"
#include "tools/exit_code.hpp"

#include <vector>

namespace gradmesh::tools::bench {

/// `gradmesh bench baseline-peer`: reads and answers until the other end closes.
exit_code baseline_peer(const std::vector<std::string>& arguments);

} // namespace gradmesh::tools::bench
