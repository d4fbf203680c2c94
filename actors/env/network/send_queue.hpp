#pragma once

/// The frames that wait for one lane of one peer. Any thread pushes, the loop thread takes. Bounded
/// in bytes: what was taken counts until it was written, since it occupies memory until then.

#include "actors/mesh/frame.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

namespace gradmesh::env {

class send_queue {
public:
  /// `total_bytes` counts over all queues of a network and must outlive this.
  send_queue(std::size_t bytes_max, std::atomic<std::uint64_t>& total_bytes);
  ~send_queue();
  send_queue(const send_queue&) = delete;
  send_queue& operator=(const send_queue&) = delete;

  enum class pushed {
    queued,
    /// Queued, and the writer sleeps: the caller must wake it.
    wake_writer,
    /// Not queued: the limit is reached.
    full,
    /// Not queued: the peer is down.
    closed,
  };
  pushed push(mesh::frame_ptr f);

  /// The next frames to write, enough for one system call. None = the writer goes to sleep until
  /// `push` says `wake_writer`.
  std::vector<mesh::frame_ptr> take();
  void written(std::size_t bytes);

  void close();
  std::size_t bytes() const;

private:
  void forget(std::size_t bytes);

  const std::size_t bytes_max_;
  std::atomic<std::uint64_t>& total_bytes_;
  mutable std::mutex mutex_;
  std::deque<mesh::frame_ptr> frames_;
  std::size_t bytes_ = 0;
  bool writer_sleeps_ = true;
  bool closed_ = false;
};

} // namespace gradmesh::env
