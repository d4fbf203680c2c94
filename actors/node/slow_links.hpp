#pragma once

/// The links of a node with [emulation] link_delay_ms: every frame leaves later, by an actor's
/// delayed messages, so that it is the same in virtual time.

#include "actors/actors.hpp"
#include "actors/env/environment.hpp"

#include <caf/actor_system.hpp>

#include <chrono>
#include <memory>
#include <variant>

namespace gradmesh::node {

/// An actor that runs what it is sent.
/// (CAF 0.17 follows a null pointer where a behaviour function takes nothing but the actor.)
timer_actor::behavior_type timer(timer_actor::pointer self, std::monostate);

/// `links` are the options of the network below. `timer` outlives the delayed network's use.
std::shared_ptr<env::network> slow_down(std::shared_ptr<env::network> below,
                                        const env::network_options& links,
                                        std::chrono::milliseconds delay, const timer_actor& timer);

} // namespace gradmesh::node
