#include "actors/env/network/loop_tasks.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>

namespace gradmesh::env {
namespace {

int open_eventfd() {
  const int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::system_category(), "eventfd");
  return descriptor;
}

} // namespace

loop_tasks::loop_tasks() : descriptor_(open_eventfd()) {}

void loop_tasks::post(task t) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(t));
  if (rung_) return;
  rung_ = true;
  eventfd_write(descriptor_.get(), 1); // cannot fail: the counter is 0 or 1
}

kj::Promise<void> loop_tasks::run(kj::UnixEventPort& port, socket_loop& loop) {
  auto observer = kj::heap<kj::UnixEventPort::FdObserver>(
      port, descriptor_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ);
  auto running = run_on(*observer, loop);
  return running.attach(kj::mv(observer));
}

kj::Promise<void> loop_tasks::run_on(kj::UnixEventPort::FdObserver& observer, socket_loop& loop) {
  // The observer is edge-triggered: take the edge first, then the tasks, then wait.
  eventfd_t rings = 0;
  eventfd_read(descriptor_.get(), &rings);
  std::vector<task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
    rung_ = false;
  }
  for (auto& t : tasks)
    t(loop);
  return observer.whenBecomesReadable().then(
      [this, &observer, &loop] { return run_on(observer, loop); });
}

} // namespace gradmesh::env
