#pragma once

/// Takes connections and answers their Hello. What does not begin with a proper Hello in time is
/// closed, counted and logged. Lives on the loop thread.

#include "actors/env/network/peer_table.hpp"

#include <kj/io.h>

namespace gradmesh::env {

class listener final : private kj::TaskSet::ErrorHandler {
public:
  listener(loop_context& context, peer_table& peers)
      : context_(context), peers_(peers), tasks_(*this) {}

  /// Takes connections from the listening socket as long as the listener lives.
  void serve(kj::AutoCloseFd socket);
  /// Takes connections of nodes on this host on a local socket, where shared memory is wanted and
  /// to be had.
  void serve_local();

private:
  enum class door : std::uint8_t { network, local };

  void take_from(kj::AutoCloseFd socket, door through);
  kj::Promise<void> accept_on(kj::ConnectionReceiver& receiver, door through);
  void greet(kj::Own<kj::AsyncIoStream> stream, door through);
  /// The connection with its TLS handshake done, where there is one to do.
  kj::Promise<result<kj::Own<connection>>> secure(kj::Own<kj::AsyncIoStream> stream,
                                                  const config::endpoint& remote, door through);
  kj::Promise<void> answer(kj::Own<connection> c, config::endpoint remote, door through,
                           result<mesh::frame_ptr> first);
  kj::Promise<void> welcome(kj::Own<connection> c, const peer& who, const hello& said, mesh::lane l,
                            std::uint16_t protocol, door through);
  kj::Promise<result<kj::Own<connection>>> receive_shared_memory(kj::Own<connection> c);
  kj::Promise<void> refuse(kj::Own<connection> c, const config::endpoint& remote, mesh::lane l,
                           const error& why);
  void reject(const config::endpoint& remote, const std::string& why);
  void reject_displaced(const config::endpoint& remote);
  void taskFailed(kj::Exception&& e) override;

  loop_context& context_;
  peer_table& peers_;
  kj::TaskSet tasks_;
};

} // namespace gradmesh::env
