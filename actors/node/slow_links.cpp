#include "actors/node/slow_links.hpp"

#include "actors/env/network/delayed_network.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::node {

timer_actor::behavior_type timer(timer_actor::pointer, std::monostate) {
  return {[](const timed_call& call) { call.task(); }};
}

std::shared_ptr<env::network> slow_down(std::shared_ptr<env::network> below,
                                        const env::network_options& links,
                                        std::chrono::milliseconds delay, const timer_actor& timer) {
  return env::make_delayed_network(
      std::move(below), links, delay,
      [timer](std::chrono::milliseconds after, std::function<void()> task) {
        caf::delayed_anon_send(timer, after, timed_call{std::move(task)});
      });
}

} // namespace gradmesh::node
