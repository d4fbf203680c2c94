#pragma once

/// The worker processes of `gradmesh bench push-pull`. Each is a node with an actor of its own
/// beside the usual ones, so it is also an example of how to embed a node. It answers each line on
/// standard input with one line of JSON on standard output:
///
///   (started)                                  {"endpoint": "127.0.0.1:4711"}
///   go                                         {"joined": true}; all members are there
///   prepare JOB FLOATS REPLICATED              {"ready": true}
///   run push|pull WINDOW KEYS FRESH MS         {"requests": ..., "seconds": ..., "p50_us": ...}
///   sent                                       {"bytes_sent": ...} by the links of all members
///
/// or {"error": "..."}.

#include "tools/exit_code.hpp"

#include <string>
#include <vector>

namespace gradmesh::tools::bench {

exit_code push_pull_worker(const std::vector<std::string>& arguments);

} // namespace gradmesh::tools::bench
