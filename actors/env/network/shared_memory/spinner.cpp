#include "actors/env/network/shared_memory/spinner.hpp"

#include <algorithm>
#include <thread>

namespace gradmesh::env::shm {

std::chrono::microseconds default_spin_time() {
  return std::chrono::microseconds(std::thread::hardware_concurrency() > 1 ? 50 : 0);
}

void spinner::add(pollable& channel) {
  channels_.push_back(&channel);
}

void spinner::remove(pollable& channel) {
  std::erase(channels_, &channel);
}

void spinner::wake() {
  until_ = clock::now() + spin_time_;
  if (turning_) return;
  turning_ = true;
  turns_ = kj::evalLater([this] { return turn(); }).eagerlyEvaluate(nullptr);
}

kj::Promise<void> spinner::turn() {
  if (poll_all()) {
    until_ = clock::now() + spin_time_;
  } else if (clock::now() >= until_ && sleep_all()) {
    turning_ = false;
    return kj::READY_NOW;
  } else {
    // The peer may be waiting for this very processor.
    std::this_thread::yield();
  }
  // Through the loop, so that sockets, timers and tasks get their turn as well.
  return kj::evalLater([this] { return turn(); });
}

bool spinner::poll_all() {
  bool any = false;
  // By index: a frame may lead to a channel more or less.
  for (std::size_t i = 0; i < channels_.size(); ++i)
    any |= channels_[i]->poll();
  return any;
}

bool spinner::sleep_all() {
  bool all = true;
  for (std::size_t i = 0; i < channels_.size(); ++i)
    all &= channels_[i]->sleep();
  return all;
}

} // namespace gradmesh::env::shm
