#include "actors/env/network/spinner.hpp"

#include <algorithm>
#include <thread>

namespace gradmesh::env {
namespace {

constexpr std::uint32_t short_sleeps_wanted_max = 1024;

} // namespace

std::chrono::microseconds default_spin_time() {
  return std::chrono::microseconds(std::thread::hardware_concurrency() > 1 ? 250 : 0);
}

void spinner::add(pollable& channel) {
  channels_.push_back(&channel);
}

void spinner::remove(pollable& channel) {
  std::erase(channels_, &channel);
}

void spinner::wake() {
  since_ = clock::now();
  if (turning_) return;
  turning_ = true;
  turns_ = kj::evalLater([this] { return turn(); }).eagerlyEvaluate(nullptr);
}

kj::Promise<void> spinner::turn() {
  const bool any = poll_all();
  const auto now = clock::now();
  if (any) {
    progressed(now);
  } else if (spins() && now - since_ < spin_time_) {
    waited_ = true;
  } else if (sleep_all()) {
    if (spins()) spun_in_vain();
    slept_ = true;
    slept_since_ = now;
    turning_ = false;
    return kj::READY_NOW;
  }
  // Through the loop, so that sockets, timers and tasks get their turn as well.
  return kj::evalLater([this] { return turn(); });
}

void spinner::progressed(clock::time_point now) {
  if (!spins()) {
    if (slept_ && now - slept_since_ < spin_time_) ++short_sleeps_;
  } else if (waited_ && now - since_ < spin_time_) {
    short_sleeps_wanted_ = std::max(1u, short_sleeps_wanted_ / 2);
  }
  since_ = now;
  waited_ = false;
  slept_ = false;
}

void spinner::spun_in_vain() {
  short_sleeps_ = 0;
  short_sleeps_wanted_ = std::min(short_sleeps_wanted_ * 2, short_sleeps_wanted_max);
}

arrivals::arrivals(spinner& spin) : spinner_(spin) {
  spinner_.add(*this);
}

arrivals::~arrivals() {
  spinner_.remove(*this);
}

void arrivals::note() {
  came_ = true;
  spinner_.wake();
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

} // namespace gradmesh::env
