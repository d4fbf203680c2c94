#include "tools/actor_system.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

namespace gradmesh::tools {

struct actor_system::content {
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
};

actor_system::actor_system() : content_(std::make_unique<content>()) {
  content_->config.set("scheduler.max-threads", 1);
  content_->system = std::make_unique<caf::actor_system>(content_->config);
}

actor_system::~actor_system() = default;

caf::actor_system& actor_system::operator*() {
  return *content_->system;
}

} // namespace gradmesh::tools
