#pragma once

/// The frames that wait for one lane of one peer, and the credit that the peer has granted for them
/// (schema/link.capnp). Any thread pushes, the loop thread does the rest. Bounded in bytes: what
/// was taken counts until it was written, since it occupies memory until then.

#include "actors/mesh/frame.hpp"

#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

namespace gradmesh::env {

class send_queue {
public:
  /// Frames up to this size find room in a queue that is full already, up to `reserve_bytes` of
  /// them: the answer "retry later" must not fail for the reason that it gives.
  static constexpr std::size_t small_frame_bytes = 4u << 10;
  static constexpr std::size_t reserve_bytes = 1u << 20;

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
  /// A frame of the link's own: first of all, outside limit and credit.
  pushed push_link_frame(mesh::frame_ptr f);

  /// The next frames to write, enough for one system call. None = the writer goes to sleep until
  /// `push` or `credit` asks to wake it.
  std::vector<mesh::frame_ptr> take();
  void written(std::size_t bytes);

  enum class credited {
    /// Taken note of.
    noted,
    /// Frames that waited for it can go: wake the writer.
    wake_writer,
    /// The peer has freed more than it was sent.
    impossible,
  };
  credited credit(std::uint64_t freed_bytes, std::uint64_t window_bytes);

  void close();
  std::size_t bytes() const;

private:
  bool may_send(std::size_t frame_bytes) const;
  void forget(std::size_t bytes);
  pushed wake();

  const std::size_t bytes_max_;
  std::atomic<std::uint64_t>& total_bytes_;
  mutable std::mutex mutex_;
  std::deque<mesh::frame_ptr> link_frames_;
  std::array<std::deque<mesh::frame_ptr>, mesh::priority_count> frames_;
  std::size_t bytes_ = 0;
  // Over the life of the link, without the link's own frames.
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t freed_bytes_ = 0;
  std::uint64_t window_bytes_ = 0;
  bool writer_sleeps_ = true;
  bool closed_ = false;
};

} // namespace gradmesh::env
