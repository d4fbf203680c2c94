#pragma once

/// INTERNAL to this folder: wakes the peer, if it sleeps, by a byte on the socket that the two
/// sides keep open. A byte and not an eventfd: the same socket says when the peer is gone, and a
/// full one cannot block us.
///
/// Any thread; the socket is a descriptor of its own, so that frames may outlive the channel.

#include "actors/env/network/shared_memory/memory.hpp"

namespace gradmesh::env::shm {

class doorbell {
public:
  /// `peer` is the side to wake.
  doorbell(kj::AutoCloseFd socket, std::shared_ptr<memory> shared, std::size_t peer)
      : socket_(kj::mv(socket)), memory_(std::move(shared)), asleep_(memory_->asleep(peer)) {}

  /// What happened: `wants_records` or `wants_room`. The peer must be able to see it already, by
  /// a sequentially consistent store: either the peer sees it before it sleeps, or we see here
  /// that it sleeps.
  void ring(std::uint32_t what) {
    if (asleep_.load() & what) wake();
  }

  /// The peer finds the end of the socket and takes this side for gone.
  void hang_up();

private:
  void wake();

  kj::AutoCloseFd socket_;
  std::shared_ptr<memory> memory_;
  std::atomic<std::uint32_t>& asleep_;
};

} // namespace gradmesh::env::shm
