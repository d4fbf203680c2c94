#pragma once

/// Opens links to listeners: TCP, Hello and answer for the control lane, then for the bulk lane.
/// Lives on the loop thread.

#include "actors/env/network/peer_table.hpp"

namespace gradmesh::env {

class dialer final : private kj::TaskSet::ErrorHandler {
public:
  dialer(loop_context& context, peer_table& peers)
      : context_(context), peers_(peers), tasks_(*this) {}

  /// The outcome comes as on_peer_up or on_connect_failed.
  void dial(const config::endpoint& to);

private:
  struct open_connection {
    kj::Own<connection> stream;
    welcome answer;
  };
  using dialled = result<open_connection>;

  kj::Promise<error> dial_lanes(config::endpoint to);
  error bring_up(peer_table::ticket t, const config::endpoint& to, open_connection control,
                 dialled bulk);
  kj::Promise<dialled> dial_lane(const config::endpoint& to, mesh::lane l);
  kj::Promise<result<kj::Own<connection>>> connect(const config::endpoint& to);
  kj::Promise<dialled> shake_hands(kj::Own<connection> c, const config::endpoint& to, mesh::lane l);
  void taskFailed(kj::Exception&& e) override;

  loop_context& context_;
  peer_table& peers_;
  kj::TaskSet tasks_;
};

} // namespace gradmesh::env
