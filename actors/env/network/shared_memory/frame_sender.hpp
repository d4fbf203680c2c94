#pragma once

/// INTERNAL to this folder: frames into ring and area. A body is copied once, into the area.

#include "actors/env/network/shared_memory/pages.hpp"
#include "actors/env/network/shared_memory/ring.hpp"

namespace gradmesh::env::shm {

class frame_sender {
public:
  frame_sender(direction way, const sizes& s, doorbell& bell);

  /// What is to be sent, after the last `advance` said `done`.
  void start(std::vector<mesh::frame_ptr> frames);

  enum class state {
    done,
    /// Others should have a turn, then call again.
    more,
    /// The peer must read or release first.
    blocked
  };
  struct progress {
    state now = state::done;
    /// Whether this call has brought anything on its way.
    bool any = false;
  };
  /// Errors: `malformed_message` (the peer's index cannot be).
  result<progress> advance();

  /// Nothing follows. Not while a frame is being sent.
  void close();

private:
  /// False when ring or area lack room.
  result<bool> put_record(const mesh::frame& f);
  page_run pages_for_body();
  void begin_frame();
  void publish();

  ring_writer ring_;
  std::span<std::byte> area_;
  page_pool pages_;
  doorbell& bell_;
  const std::size_t inline_bytes_max_;
  const std::size_t whole_bytes_max_;

  std::vector<mesh::frame_ptr> frames_;
  std::size_t current_ = 0;
  std::array<std::byte, mesh::frame_header_bytes> header_{};
  // Of the current frame, what is still to be sent.
  std::span<const std::byte> header_left_;
  std::span<const std::byte> metadata_left_;
  std::span<const std::byte> body_left_;
};

} // namespace gradmesh::env::shm
