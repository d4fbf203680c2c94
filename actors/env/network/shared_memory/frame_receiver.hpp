#pragma once

/// INTERNAL to this folder: frames out of ring and area. Every length is checked before anything is
/// allocated or copied, and every byte but those of a lent body is read once, into private memory.

#include "actors/env/network/shared_memory/pages.hpp"
#include "actors/env/network/shared_memory/ring.hpp"

namespace gradmesh::env::shm {

class frame_receiver {
public:
  frame_receiver(direction way, std::shared_ptr<doorbell> bell);

  struct step {
    std::size_t bytes = 0; // of a frame; 0 = there was no record
    mesh::frame_ptr complete;
  };
  /// Takes one record. Errors: `malformed_message`, `limit_exceeded`.
  result<step> next();
  /// Gives the room of what was taken back to the peer; to be called before a pause.
  void publish();

  bool closed() const { return ring_.closed(); }
  bool between_frames() const { return !current_; }

private:
  result<void> take(const record& r);
  result<void> begin_frame();
  result<void> take_body(const record& r, std::size_t inline_bytes);
  result<void> take_pages(const record& r);
  std::span<std::byte> body_room(std::size_t bytes);

  ring_reader ring_;
  std::shared_ptr<lent_pages> pages_;
  std::shared_ptr<doorbell> bell_;
  const std::size_t publish_bytes_;

  std::shared_ptr<mesh::frame> current_;
  std::array<std::byte, mesh::frame_header_bytes> header_{};
  std::span<std::byte> metadata_left_;
  bool checked_ = false; // the checksum
  mesh::writable_body body_;
  std::size_t body_left_ = 0;
};

} // namespace gradmesh::env::shm
