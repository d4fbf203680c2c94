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

private:
  kj::Promise<void> accept_on(kj::ConnectionReceiver& receiver);
  void greet(kj::Own<kj::AsyncIoStream> stream);
  kj::Promise<void> answer(kj::Own<connection> c, config::endpoint remote,
                           result<mesh::frame_ptr> first);
  kj::Promise<void> welcome(kj::Own<connection> c, peer who, mesh::lane l, std::uint16_t protocol);
  kj::Promise<void> refuse(kj::Own<connection> c, const config::endpoint& remote, mesh::lane l,
                           const error& why);
  void reject(const config::endpoint& remote, const std::string& why);
  void taskFailed(kj::Exception&& e) override;

  loop_context& context_;
  peer_table& peers_;
  kj::TaskSet tasks_;
};

} // namespace gradmesh::env
