#pragma once

/// `gradmesh bench link`: what a link does between two processes of this machine, next to baselines
/// that are measured in turn with it, run by run, so that a noisy machine troubles all alike.

#include "tools/bench/bench_row.hpp"
#include "tools/bench/link_end.hpp"

#include <chrono>
#include <functional>
#include <vector>

namespace gradmesh::tools::bench {

struct link_bench_options {
  link_lane lane = link_lane::tcp;
  std::vector<std::uint64_t> sizes;
  std::chrono::duration<double> time{0}; // of each measurement
  unsigned runs = 0;
  bool touch = false;
  /// Told when a size begins; may be empty.
  std::function<void(const std::string&)> progress;
};

/// Two rows a size: one-way (frames streamed against a window) and round-trip (one at a time).
/// Blocks. Errors: those of the system, of the other processes and of the network.
result<std::vector<bench_row>> run_link_bench(const link_bench_options& options);

/// Frames in flight in the one-way operation: enough to keep both sides busy, not so many that
/// their bodies leave the cache for no reason.
std::size_t window_of(std::uint64_t bytes);

} // namespace gradmesh::tools::bench
