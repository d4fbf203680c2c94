#pragma once

/// What this process holds, for tests of what strangers can make a node hold.

#include <cstdint>
#include <fstream>

#include <unistd.h>

namespace gradmesh::env::test {

/// Whether the figure means something: sanitizers keep what was freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool measures_memory = false;
#else
inline constexpr bool measures_memory = true;
#endif

inline std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

} // namespace gradmesh::env::test
