#pragma once

/// The receiving side of a lane's credit (schema/link.capnp): counts the bytes of frames that have
/// come and of those that actors have dealt with.

#include "actors/mesh/frame.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

namespace gradmesh::env {

class receive_window : public std::enable_shared_from_this<receive_window> {
public:
  /// `news` is called, on any thread, when so much was freed that the peer should be told.
  receive_window(std::uint64_t bytes, std::function<void()> news);

  std::uint64_t bytes() const { return bytes_; }

  /// Loop thread: a frame has come. Null when the peer had no right to send it.
  std::shared_ptr<mesh::receipt> claim(std::uint64_t frame_bytes);

  /// Loop thread: all bytes freed so far; the next news comes a quarter of the window later.
  std::uint64_t tell();

  /// The link has ended; frames that live on settle in silence.
  void close();

private:
  class claimed;
  void free(std::uint64_t frame_bytes);

  const std::uint64_t bytes_;
  std::uint64_t received_ = 0; // loop thread
  std::atomic<std::uint64_t> freed_{0};
  std::atomic<std::uint64_t> news_at_;
  std::mutex mutex_; // guards news_
  std::function<void()> news_;
};

} // namespace gradmesh::env
