#pragma once

/// An actor system of its own for one node, whose actors run one after the other and by hand, in
/// virtual time. A node that hangs is one whose host is left alone; a node that is gone leaves a
/// host without actors, which serves the next one (an actor system costs more than a small job).
///
/// One thread.

#include "actors/env/clock.hpp"
#include "actors/env/random.hpp"

#include <caf/fwd.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace gradmesh::simulation {

class actor_host {
public:
  actor_host();
  ~actor_host();
  actor_host(const actor_host&) = delete;
  actor_host& operator=(const actor_host&) = delete;

  caf::actor_system& system();

  /// Actors that have something to do.
  std::size_t runnable() const;
  /// Lets one of them, drawn from `chance`, handle a message. There must be one.
  void run_one(env::random_stream& chance);

  /// When the next timer of an actor is due.
  std::optional<env::time_point> next_timer() const;
  /// What the actors take for the present; timers that are due go off.
  void set_now(env::time_point now);

  /// Lets all handle what they have. Without them there is nothing to do; time stands still.
  void run_all();
  /// Forgets all timers. True if no actor is left, so that the host can serve another node.
  bool reset();

private:
  struct parts; // CAF's, kept out of this header
  std::unique_ptr<parts> parts_;
};

/// Hosts that wait for their next node.
class actor_hosts {
public:
  std::unique_ptr<actor_host> take();
  /// Errors of the node: actors that are left. Such a host is not used again.
  bool give_back(std::unique_ptr<actor_host> host);

private:
  std::vector<std::unique_ptr<actor_host>> idle_;
};

} // namespace gradmesh::simulation
