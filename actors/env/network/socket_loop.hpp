#pragma once

/// The part of the socket network that lives on the loop thread.

#include "actors/env/network/dialer.hpp"
#include "actors/env/network/listener.hpp"
#include "actors/env/network/loop_tasks.hpp"
#include "actors/env/network/peer_table.hpp"

namespace gradmesh::env {

class socket_loop final : private kj::TaskSet::ErrorHandler {
public:
  socket_loop(kj::AsyncIoContext& io, const network_options& options, network_events events,
              traffic& counters, loop_tasks& tasks, routes& up);

  /// Runs until `stop` has done its work.
  void run(kj::AsyncIoContext& io);

  /// These two do nothing after `stop`.
  void serve(kj::AutoCloseFd listening);
  void dial(const config::endpoint& to);
  peer_table& peers() { return peers_; }
  /// Runs a task after the events that are at hand. It must not throw.
  void run_later(std::function<void()> task);

  /// Silences the events, gives handshakes up, and lets `run` return when all links have finished
  /// or `linger` is over.
  void stop(std::chrono::milliseconds linger);

private:
  void taskFailed(kj::Exception&& e) override;

  loop_context context_;
  kj::PromiseFulfillerPair<void> stopped_;
  peer_table peers_;
  kj::Own<listener> listener_;
  kj::Own<dialer> dialer_;
  kj::Promise<void> stopping_ = nullptr;
  kj::TaskSet later_;
};

} // namespace gradmesh::env
