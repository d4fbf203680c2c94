#pragma once

/// Time as actors see it: the clock of the actor system, which also runs their timers. In
/// production it is the steady clock, under CAF's test coordinator it is virtual.

#include <caf/actor_clock.hpp>
#include <caf/local_actor.hpp>

#include <chrono>

namespace gradmesh::env {

using time_point = caf::actor_clock::time_point;

inline time_point now(caf::local_actor& self) {
  return self.clock().now();
}

inline double seconds_between(time_point from, time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

} // namespace gradmesh::env
