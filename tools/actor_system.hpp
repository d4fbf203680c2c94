#pragma once

/// The actor system of the program. All long-lived actors have threads of their own, so one thread
/// of CAF's scheduler is enough.

#include <memory>

namespace caf {
class actor_system;
}

namespace gradmesh::tools {

class actor_system {
public:
  actor_system();
  ~actor_system(); // waits for the actors' end
  caf::actor_system& operator*();

private:
  struct content;
  std::unique_ptr<content> content_;
};

} // namespace gradmesh::tools
