#pragma once

/// Spawning by the environment's rule instead of the caller's.

#include "actors/env/environment.hpp"
#include "actors/node/loop_unit.hpp"

#include <caf/actor_system.hpp>

#include <memory>
#include <utility>

namespace gradmesh::node {

/// `system.spawn(behaviour, args...)`, detached unless the environment has actors scheduled.
template <class Behaviour, class... Args>
auto spawn(caf::actor_system& system, env::placement place, Behaviour behaviour, Args&&... args) {
  return place == env::placement::scheduled
             ? system.spawn(behaviour, std::forward<Args>(args)...)
             : system.spawn<caf::detached>(behaviour, std::forward<Args>(args)...);
}

/// The same, on a loop unit.
template <class Behaviour, class... Args>
auto spawn_on(std::shared_ptr<loop_unit> host, Behaviour behaviour, Args&&... args) {
  using impl = caf::infer_impl_from_fun_t<Behaviour>;
  caf::actor_config config{host.get()};
  config.init_fun = caf::detail::init_fun_factory<impl, Behaviour>{}(std::move(behaviour),
                                                                     std::forward<Args>(args)...);
  return host->system().spawn_class<hosted<impl>, caf::no_spawn_options>(config, std::move(host));
}

} // namespace gradmesh::node
