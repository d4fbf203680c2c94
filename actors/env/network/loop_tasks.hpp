#pragma once

/// Work that other threads hand to the loop thread. An eventfd wakes the loop, once for all tasks
/// that come before it has looked.

#include <kj/async-unix.h>
#include <kj/io.h>

#include <functional>
#include <mutex>
#include <vector>

namespace gradmesh::env {

class socket_loop;

class loop_tasks {
public:
  using task = std::function<void(socket_loop&)>;

  /// Throws std::system_error when the process has no descriptor left.
  loop_tasks();

  /// Any thread. Tasks run in the order of the calls; those that the loop does not reach before it
  /// ends are dropped.
  void post(task t);

  /// Loop thread: runs tasks until the promise is dropped. `t` must not throw.
  kj::Promise<void> run(kj::UnixEventPort& port, socket_loop& loop);

private:
  kj::Promise<void> run_on(kj::UnixEventPort::FdObserver& observer, socket_loop& loop);

  kj::AutoCloseFd descriptor_;
  std::mutex mutex_;
  std::vector<task> tasks_;
  bool rung_ = false;
};

} // namespace gradmesh::env
