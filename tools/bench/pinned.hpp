#pragma once

/// Keeps the calling thread, and the processes that it starts meanwhile, on one processor. Both
/// ends of a benchmark and of its baselines are pinned alike, to different processors, so that it
/// is not the scheduler's mood that decides whether an answer comes from the same processor, which
/// is ten times as fast, or from another.

#include <sched.h>

#include <vector>

namespace gradmesh::tools::bench {

/// The processors that this process may use.
inline std::vector<int> usable_processors() {
  cpu_set_t set;
  std::vector<int> found;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return found;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) found.push_back(cpu);
  return found;
}

class pinned {
public:
  /// Does nothing if there are not at least two processors.
  explicit pinned(unsigned number) {
    const auto usable = usable_processors();
    if (usable.size() < 2 || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(usable[number % usable.size()], &one);
    done_ = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  ~pinned() {
    if (done_) sched_setaffinity(0, sizeof before_, &before_);
  }
  pinned(const pinned&) = delete;
  pinned& operator=(const pinned&) = delete;

private:
  cpu_set_t before_;
  bool done_ = false;
};

} // namespace gradmesh::tools::bench
