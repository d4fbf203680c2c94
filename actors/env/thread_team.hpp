#pragma once

/// Threads that work together on one thing: what a step of a worker is computed by when
/// `job.threads` is above 1. No actor ever sees them; whoever calls `run` waits for all.

#include "actors/error.hpp"

#include <functional>
#include <memory>

namespace gradmesh::env {

class thread_team {
public:
  virtual ~thread_team() = default;

  virtual unsigned size() const = 0;

  /// Calls `part(0)` to `part(size() - 1)`, each once, part 0 on the caller's thread, and returns
  /// when all have returned; what they wrote is seen by the caller, and by the parts of the next
  /// call. `part` does not throw. One thread calls at a time.
  virtual void run(const std::function<void(unsigned)>& part) = 0;
};

using team_maker = std::function<result<std::unique_ptr<thread_team>>(unsigned size)>;

/// The caller and size - 1 threads of their own, which end with the team. Between calls that follow
/// each other within some tens of microseconds they do not sleep. Errors: `limit_exceeded` if the
/// system gives no more threads.
result<std::unique_ptr<thread_team>> make_thread_team(unsigned size);

/// No threads: part 0 runs to its end, then part 1, and so on. The same bits every time, which is
/// what tests in virtual time want.
result<std::unique_ptr<thread_team>> make_sequential_team(unsigned size);

} // namespace gradmesh::env
