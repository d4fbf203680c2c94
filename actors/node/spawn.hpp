#pragma once

/// Spawning by the environment's rule instead of the caller's.

#include "actors/env/environment.hpp"

#include <caf/actor_system.hpp>

#include <utility>

namespace gradmesh::node {

/// `system.spawn(behaviour, args...)`, detached where the environment says so.
template <class Behaviour, class... Args>
auto spawn(caf::actor_system& system, env::placement place, Behaviour behaviour, Args&&... args) {
  return place == env::placement::detached
             ? system.spawn<caf::detached>(behaviour, std::forward<Args>(args)...)
             : system.spawn(behaviour, std::forward<Args>(args)...);
}

} // namespace gradmesh::node
