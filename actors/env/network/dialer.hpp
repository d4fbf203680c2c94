#pragma once

/// Opens links to listeners: TCP, TLS where it is configured, Hello and answer for the control
/// lane, then for the bulk lane, which may go through shared memory. Lives on the loop thread.

#include "actors/env/network/peer_table.hpp"

#include <kj/io.h>

#include <set>
#include <string>

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
  /// Through shared memory, if the listener offers it and it can be had.
  kj::Promise<dialled> dial_bulk(const config::endpoint& to, const welcome& control);
  kj::Promise<dialled> share_memory(kj::AutoCloseFd socket, const config::endpoint& to,
                                    const local_ticket& ticket);
  error bring_up(peer_table::ticket t, const config::endpoint& to, open_connection control,
                 dialled bulk);
  kj::Promise<dialled> dial_lane(const config::endpoint& to, mesh::lane l);
  kj::Promise<kj::Own<kj::AsyncIoStream>> open_stream(const config::endpoint& to);
  kj::Promise<result<kj::Own<kj::AsyncIoStream>>> connect(const config::endpoint& to);
  /// With the TLS handshake done, where there is one to do.
  kj::Promise<result<kj::Own<connection>>> secure(kj::Own<kj::AsyncIoStream> stream,
                                                  const config::endpoint& to);
  kj::Promise<dialled> shake_hands(kj::Own<connection> c, const config::endpoint& to, mesh::lane l,
                                   const local_ticket* ticket = nullptr);
  error cannot_use(const config::endpoint& to, const kj::Exception& e) const;
  void taskFailed(kj::Exception&& e) override;

  loop_context& context_;
  peer_table& peers_;
  std::set<std::string> without_memory_; // listeners with which sharing memory has failed
  kj::TaskSet tasks_;
};

} // namespace gradmesh::env
