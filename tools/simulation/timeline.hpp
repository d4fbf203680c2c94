#pragma once

/// What a simulated mesh shares: the time, what is due when, and the one source of chance. Tasks
/// due at the same time are done in the order in which they were set. One thread.

#include "actors/env/clock.hpp"
#include "actors/env/random.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace gradmesh::simulation {

class timeline {
public:
  using duration = std::chrono::nanoseconds;

  explicit timeline(std::uint64_t seed) : random(seed) {}

  env::time_point now{std::chrono::milliseconds(1)};
  env::random_stream random;

  /// Uniform in [0, limit].
  duration up_to(duration limit) {
    return duration(random.below(static_cast<std::uint64_t>(limit.count()) + 1));
  }
  /// True once in so many times.
  bool once_in(std::uint64_t times) { return random.below(times) == 0; }

  void at(env::time_point when, std::function<void()> task) {
    due_.push_back({std::max(when, now), set_++, std::move(task)});
    std::push_heap(due_.begin(), due_.end(), later);
  }
  void after(duration delay, std::function<void()> task) { at(now + delay, std::move(task)); }

  bool empty() const { return due_.empty(); }
  /// When the next task is due; there must be one.
  env::time_point next() const { return due_.front().when; }
  /// Goes on to the next task and does it.
  void step() {
    std::pop_heap(due_.begin(), due_.end(), later);
    const auto first = std::move(due_.back());
    due_.pop_back();
    now = std::max(now, first.when);
    first.task();
  }

private:
  struct entry {
    env::time_point when;
    std::uint64_t number;
    std::function<void()> task;
  };
  static bool later(const entry& a, const entry& b) {
    return std::pair(a.when, a.number) > std::pair(b.when, b.number);
  }

  std::vector<entry> due_; // a heap
  std::uint64_t set_ = 0;
};

} // namespace gradmesh::simulation
