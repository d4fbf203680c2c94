#pragma once

/// What the operating system says of this process.

#include <cstdint>

namespace gradmesh::env {

struct process_usage {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0; // user and system, all threads, since the process began
};

/// Zeros where the system does not tell.
process_usage current_usage();

std::uint64_t process_id();

} // namespace gradmesh::env
