#pragma once

/// `gradmesh bench push-pull`: what workers and server shards do in processes of their own, with
/// the actors, the frames and the update of training, next to raw TCP that is measured in turn with
/// it.

#include "config/job_config.hpp"
#include "tools/bench/bench_row.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace gradmesh::tools::bench {

struct push_pull_options {
  unsigned servers = 1;
  unsigned workers = 1;
  bool replicated = false; // also pushes to shards that have backups
  config::lane_kind lane = config::lane_kind::shm;
  std::vector<std::uint64_t> sizes;      // bytes of the dense parameters
  std::uint64_t sparse_keys = 0;         // 0: no sparse rows are measured
  std::chrono::duration<double> time{0}; // of each measurement
  unsigned runs = 0;
  /// Told when a size begins; may be empty.
  std::function<void(const std::string&)> progress;
};

/// Rows for each size: push, pull (against a window) and push-one, pull-one (one at a time), and
/// push-replicated, whose reference is push; for
/// sparse keys push and pull of one list again and again (repeated) and of other ones each time
/// (fresh). Blocks. Errors: those of the system, of the other processes and of the network.
result<std::vector<bench_row>> run_push_pull_bench(const push_pull_options& options);

} // namespace gradmesh::tools::bench
