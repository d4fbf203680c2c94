#pragma once

/// A node: the roles that a node file names, as actors of one CAF actor system, joined to a mesh.
/// This is the class to embed: give it your actor system, and as many nodes as you like (two meshes
/// in one process do not know of each other).
///
///   caf::actor_system_config caf_config;
///   caf::actor_system system(caf_config);
///   auto loaded = gradmesh::config::load_node("worker.ini");
///   auto node = gradmesh::node::node::start(system, *loaded.value,
///                                           gradmesh::env::real_environment(log, cache), on_end);
///
/// Threads: with the real environment every actor and the network have a thread of their own.
/// Failure: `start` returns what is wrong before anything runs; later the node ends itself by
/// `on_end` (from an actor's thread; call `stop` from another), or goes on.

#include "actors/env/environment.hpp"
#include "actors/mesh/identity.hpp"
#include "config/node_config.hpp"

#include <chrono>
#include <functional>
#include <memory>

namespace caf {
class actor_system;
}

namespace gradmesh::node {

struct context;
using context_ptr = std::shared_ptr<const context>;

class node {
public:
  /// Listens (where the roles do), spawns the roles' actors and begins to join.
  /// Errors: `io_failed` (the port is in use), `refused` (an address that is not loopback, without
  /// [tls] or node.insecure; a state folder that another process uses), those of tls_context::make,
  /// mesh::begin_life and, where the node file names a CUDA device, env::device_opener.
  static result<std::unique_ptr<node>> start(caf::actor_system& system,
                                             const config::node_config& config,
                                             const env::environment& environment,
                                             std::function<void(error)> on_end);
  ~node(); // stops

  /// Where it listens; port 0 of the configuration has become a real one. Empty host: it does not.
  const config::endpoint& endpoint() const { return endpoint_; }
  const mesh::node_identity& identity() const;
  /// For actors of an embedding application: the router to bind them to, and where to host them.
  const context_ptr& context() const;

  /// Ends the actors and closes all links; what is queued is written for at most `linger`.
  void stop(std::chrono::milliseconds linger = std::chrono::milliseconds(500));

private:
  struct parts;
  explicit node(std::unique_ptr<parts> p);

  config::endpoint endpoint_;
  std::unique_ptr<parts> parts_;
};

} // namespace gradmesh::node
