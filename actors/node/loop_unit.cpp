#include "actors/node/loop_unit.hpp"

#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

namespace gradmesh::node {
namespace {

/// Messages that an actor may take before others on the thread, and its sockets, get a turn.
constexpr std::size_t messages_per_turn = 64;

} // namespace

loop_unit::loop_unit(caf::actor_system& system, std::shared_ptr<env::network> network)
    : caf::execution_unit(&system), network_(std::move(network)) {}

void loop_unit::exec_later(caf::resumable* job) {
  std::unique_lock lock(mutex_);
  if (phase_ == phase::closed) {
    lock.unlock();
    return system().scheduler().enqueue(job);
  }
  ready_.push_back(job);
  if (phase_ == phase::before || std::exchange(posted_, true)) return;
  lock.unlock();
  post();
}

void loop_unit::open() {
  {
    const std::lock_guard lock(mutex_);
    phase_ = phase::open;
    if (ready_.empty()) return;
    posted_ = true;
  }
  post();
}

void loop_unit::post() {
  if (!network_->post([self = shared_from_this()] { self->run(); })) close();
}

void loop_unit::run() {
  std::vector<caf::resumable*> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(ready_);
    posted_ = false;
  }
  for (auto* job : jobs)
    resume(job);
}

void loop_unit::resume(caf::resumable* job) {
  switch (job->resume(this, messages_per_turn)) {
  case caf::resumable::resume_later:
    return exec_later(job);
  case caf::resumable::awaiting_message:
  case caf::resumable::done:
  case caf::resumable::shutdown_execution_unit:
    caf::intrusive_ptr_release(job); // `exec_later` was given a reference
  }
}

void loop_unit::close() {
  std::vector<caf::resumable*> jobs;
  {
    const std::lock_guard lock(mutex_);
    phase_ = phase::closed;
    jobs.swap(ready_);
  }
  for (auto* job : jobs)
    system().scheduler().enqueue(job);
}

} // namespace gradmesh::node
