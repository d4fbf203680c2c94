#pragma once

/// Threads that work together on one thing: what a step of a worker is computed by when
/// `job.threads` is above 1. No actor ever sees them; whoever calls `run` waits until all is done.

#include "actors/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace gradmesh::env {

/// Pieces of work that may be done side by side, in any order.
struct stage {
  std::uint32_t pieces = 0;
  /// `thread` is below the team's size, and at work on one piece at a time; `piece` is below
  /// `pieces`. Does not throw.
  std::function<void(unsigned thread, std::uint32_t piece)> work;
};

class thread_team {
public:
  virtual ~thread_team() = default;

  virtual unsigned size() const = 0;

  /// Does every piece once, and those of a stage when all before it are done; returns when all are.
  /// Each piece sees what the stages before have written, the caller what all have. A thread goes
  /// through its share of a stage in order, then helps with those of others; thread 0 is the
  /// caller. Nobody waits for a thread that has not begun: one that wakes late joins where the
  /// others are, or finds nothing to do.
  /// One caller at a time.
  virtual void run(std::span<const stage> stages) = 0;

  /// Says that `run` is about to be called: threads that sleep wake up now, which takes a thread as
  /// long as a hundred thousand additions, and look out for work for a millisecond. Any thread.
  virtual void rouse() = 0;
};

using team_maker = std::function<result<std::unique_ptr<thread_team>>(unsigned size)>;

/// The caller and size - 1 threads of their own, which end with the team. Between calls that follow
/// each other within some tens of microseconds they do not sleep. Errors: `limit_exceeded` if the
/// system gives no more threads.
result<std::unique_ptr<thread_team>> make_thread_team(unsigned size);

/// No threads: the caller does the pieces in order, those of each thread's share in its name. The
/// same bits every time, which is what tests in virtual time want.
result<std::unique_ptr<thread_team>> make_sequential_team(unsigned size);

} // namespace gradmesh::env
