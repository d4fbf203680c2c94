#pragma once

/// Frames from a byte stream. Small frames are parsed in batches out of one buffer; a large one is
/// received straight into its own memory. Lengths are checked before anything is allocated, and the
/// body is allocated only after the checksum of header and metadata was found right.
///
/// Lives on the loop thread. One read at a time; the stream must outlive the reader.

#include "actors/env/network/frame_channel.hpp"

#include <kj/async-io.h>

namespace gradmesh::env {

class frame_reader {
public:
  struct limits {
    std::uint64_t metadata_bytes = mesh::metadata_bytes_max;
    std::uint64_t body_bytes = mesh::body_bytes_max;
  };

  explicit frame_reader(kj::AsyncInputStream& stream);

  /// Errors: `malformed_message`, `limit_exceeded`, `node_lost` (the stream ended).
  kj::Promise<result<mesh::frame_ptr>> read_one(limits allowed);

  /// The next frame, within what is allowed now; null when the stream has ended between two. The
  /// promise must not be dropped unless the stream is: bytes that it has read would be lost.
  kj::Promise<result<mesh::frame_ptr>> read_next();
  /// Also for a read that is going on.
  void allow(limits allowed) { allowed_ = allowed; }

  /// As frame_channel::read_all.
  kj::Promise<error> read_all(frame_handler handler);

private:
  /// A complete frame from the buffer, or null when bytes are missing.
  result<mesh::frame_ptr> next();
  /// Brings at least one more byte, or a large frame as a whole; false = the stream has ended
  /// between two frames.
  kj::Promise<result<bool>> fill();
  kj::Promise<result<bool>> read_large(const mesh::decoded_header& decoded);
  kj::Promise<bool> read_exactly(std::span<std::byte> to);
  kj::Promise<error> read_on();

  std::span<const std::byte> buffered() const;
  std::span<const std::byte, mesh::frame_header_bytes> header_bytes() const;
  void move_out(std::span<std::byte> to);

  kj::AsyncInputStream& stream_;
  limits allowed_;
  frame_handler handler_;
  kj::Array<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  mesh::frame_ptr large_;
  bool last_was_large_ = false;
};

} // namespace gradmesh::env
