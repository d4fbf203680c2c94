#pragma once

/// Many seeds, on several processes. A process has its seeds one after the other: first, first +
/// jobs, ...; one that dies is a violation of the seed that it was at.

#include "tools/sim/seed_run.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace gradmesh::tools::sim {

struct farm_options {
  std::uint64_t first = 1;
  std::uint64_t seeds = 1000;
  std::size_t jobs = 1;
  seed_options seed;
  rule_set rules{};
};

struct violation {
  std::uint64_t seed = 0;
  std::string what;
};

struct farm_report {
  std::uint64_t seeds = 0; // that were run
  std::uint64_t frames = 0;
  std::uint64_t jobs_failed = 0; // by a fault that excuses it
  double virtual_seconds = 0;
  double seconds = 0;
  /// Of all traces, whatever the order of the seeds.
  std::uint64_t hash = 0;
  /// Of the processes, the first that was heard of.
  std::optional<violation> found = {};

  void add(std::uint64_t seed, const seed_report& report);
  void add(const farm_report& other);
};

/// Ends early at a violation, or when `go_on` says so; that is asked several times a second with
/// what is known by then. Errors: `io_failed` (no process can be started).
result<farm_report> run_farm(const farm_options& options,
                             const std::function<bool(const farm_report&)>& go_on);

} // namespace gradmesh::tools::sim
