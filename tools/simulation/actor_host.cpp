#include "tools/simulation/actor_host.hpp"

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <utility>

namespace gradmesh::simulation {

struct actor_host::parts {
  parts() {
    config.set("scheduler.policy", caf::atom("testing"));
    system = std::make_unique<caf::actor_system>(config);
    // Timers that are never triggered must not keep the system from ending.
    system->await_actors_before_shutdown(false);
    coordinator = dynamic_cast<caf::scheduler::test_coordinator*>(&system->scheduler());
    coordinator->run(); // CAF's own actors
    own_actors = system->registry().running();
    began = coordinator->clock().now();
  }

  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  caf::scheduler::test_coordinator* coordinator = nullptr;
  std::size_t own_actors = 0;
  env::time_point began;
};

actor_host::actor_host() : parts_(std::make_unique<parts>()) {}
actor_host::~actor_host() = default;

caf::actor_system& actor_host::system() {
  return *parts_->system;
}

std::size_t actor_host::runnable() const {
  return parts_->coordinator->jobs.size();
}

void actor_host::run_one(env::random_stream& chance) {
  auto& jobs = parts_->coordinator->jobs;
  if (const auto chosen = jobs.size() > 1 ? chance.below(jobs.size()) : 0; chosen > 0)
    std::swap(jobs[chosen], jobs.front());
  parts_->coordinator->run_once();
}

std::optional<env::time_point> actor_host::next_timer() const {
  const auto& timers = parts_->coordinator->clock().schedule();
  return timers.empty() ? std::nullopt : std::optional(timers.begin()->first);
}

void actor_host::set_now(env::time_point now) {
  auto& clock = parts_->coordinator->clock();
  if (const auto& timers = clock.schedule(); timers.empty() || timers.begin()->first > now)
    clock.current_time = now;
  else
    clock.advance_time(now - clock.now());
}

void actor_host::run_all() {
  parts_->coordinator->run();
}

bool actor_host::reset() {
  parts_->coordinator->clock().cancel_all();
  parts_->coordinator->clock().current_time = parts_->began;
  return parts_->coordinator->jobs.empty() &&
         parts_->system->registry().running() == parts_->own_actors;
}

std::unique_ptr<actor_host> actor_hosts::take() {
  if (idle_.empty()) return std::make_unique<actor_host>();
  auto host = std::move(idle_.back());
  idle_.pop_back();
  return host;
}

bool actor_hosts::give_back(std::unique_ptr<actor_host> host) {
  if (!host->reset()) return false;
  idle_.push_back(std::move(host));
  return true;
}

} // namespace gradmesh::simulation
