#pragma once

/// Frames from a byte stream. Small frames are parsed in batches out of one buffer; a large one is
/// received straight into its own memory. Lengths are checked before anything is allocated, and the
/// body is allocated only after the checksum of header and metadata was found right.
///
/// Of a socket, what has come already is read without a turn of the loop: a stream of large frames
/// then costs a few system calls for each and little else.
///
/// Lives on the loop thread. One read at a time; the stream must outlive the reader.

#include "actors/env/network/frame_channel.hpp"

#include <kj/async-io.h>

#include <array>
#include <optional>
#include <span>

namespace gradmesh::env {

class frame_reader {
public:
  struct limits {
    std::uint64_t metadata_bytes = mesh::metadata_bytes_max;
    std::uint64_t body_bytes = mesh::body_bytes_max;
  };

  /// `socket`: the stream's descriptor, non-blocking, if it carries the very bytes of the frames.
  explicit frame_reader(kj::AsyncInputStream& stream, kj::Maybe<int> socket = nullptr);

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
  /// A frame on its way into its own memory.
  struct large_frame {
    std::array<std::byte, mesh::frame_header_bytes> header;
    std::shared_ptr<mesh::frame> frame;
    std::span<std::byte> missing; // of the metadata, then of the body
    bool has_metadata = false;
  };

  /// A complete frame of what has come, or null when bytes are missing.
  result<mesh::frame_ptr> next();
  void begin_large(const mesh::decoded_header& decoded);
  /// As `next`, for the large frame.
  result<mesh::frame_ptr> advance_large();
  /// Where the next bytes belong.
  std::span<std::byte> wanted();
  /// They have come, the first `bytes` of `wanted`; false = the stream has ended between two
  /// frames.
  result<bool> came(std::size_t bytes);
  /// Reads what is here already; empty when the loop has to wait for it.
  std::optional<result<bool>> read_now();
  kj::Promise<result<bool>> read_later();
  kj::Promise<error> read_on();

  std::span<const std::byte> buffered() const;
  std::span<const std::byte, mesh::frame_header_bytes> header_bytes() const;
  void move_out(std::span<std::byte> to);
  /// Moves what there is; the rest is what is missing.
  std::span<std::byte> move_out_some(std::span<std::byte> to);

  kj::AsyncInputStream& stream_;
  const kj::Maybe<int> socket_;
  limits allowed_;
  frame_handler handler_;
  kj::Array<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::optional<large_frame> large_;
  bool last_was_large_ = false;
  /// The last read brought all that was wanted, of large frames. Small ones come in batches, each
  /// of which is worked off before the next is read.
  bool more_is_here_ = false;
};

} // namespace gradmesh::env
