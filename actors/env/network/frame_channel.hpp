#pragma once

/// What carries the frames of one lane once its handshake is done: a stream (TCP, TLS) or shared
/// memory. A link knows nothing else of it. Lives on the loop thread.

#include "actors/mesh/frame.hpp"

#include <kj/async.h>

#include <functional>
#include <vector>

namespace gradmesh::env {

/// Takes a frame; an error ends the reading.
using frame_handler = std::function<error(mesh::frame_ptr)>;

class frame_channel {
public:
  virtual ~frame_channel() noexcept(false) = default;

  /// Reads until the peer or its trust ends. `none` = it ended between two frames; otherwise the
  /// handler's error, `malformed_message`, `limit_exceeded` or `node_lost`. Errors of the transport
  /// itself come as kj::Exception.
  virtual kj::Promise<error> read_all(frame_handler handler) = 0;

  /// Resolves when the frames need not be kept any longer and the channel takes more; one write at
  /// a time. Errors of the transport come as kj::Exception. To give a write up means to destroy the
  /// channel: it may have stopped within a frame.
  virtual kj::Promise<void> write(std::vector<mesh::frame_ptr> frames) = 0;

  /// No write follows; the peer reads to the end of what was written.
  virtual void shutdown_write() = 0;
};

} // namespace gradmesh::env
