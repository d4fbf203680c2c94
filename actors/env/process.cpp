#include "actors/env/process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace gradmesh::env {

process_usage current_usage() {
  process_usage usage;
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  std::uint64_t resident_pages = 0;
  if (statm >> pages >> resident_pages)
    usage.resident_bytes = resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  rusage times{};
  if (getrusage(RUSAGE_SELF, &times) == 0) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    usage.cpu_seconds = seconds(times.ru_utime) + seconds(times.ru_stime);
  }
  return usage;
}

std::uint64_t process_id() {
  return static_cast<std::uint64_t>(getpid());
}

} // namespace gradmesh::env
