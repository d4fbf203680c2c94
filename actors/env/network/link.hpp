#pragma once

/// The two open lanes to a peer that is up: reads both, writes what its queues hold. A frame that
/// breaks the protocol, a lost connection or a failed write ends the link.
///
/// A peer that closes one lane in good order (its `stop`) may still have frames on the way on the
/// other one; these are delivered as long as they come within a second.
///
/// Lives on the loop thread. Reports its end once and must not be destroyed from within the report.

#include "actors/env/network/loop_context.hpp"
#include "actors/env/network/receive_window.hpp"
#include "actors/env/network/routes.hpp"

#include <kj/function.h>

namespace gradmesh::env {

class link final : private kj::TaskSet::ErrorHandler {
public:
  using lanes = std::array<kj::Own<frame_channel>, mesh::lane_count>;

  link(loop_context& context, peer who, lanes connections, std::shared_ptr<peer_queues> queues,
       kj::Function<void(error)> ended);
  ~link();

  const peer& who() const { return who_; }

  void start();
  /// A queue said `wake_writer`.
  void wake_writer(mesh::lane l);
  /// Tells the peer how much of a lane's window is free.
  void grant(mesh::lane l);
  /// Writes what is queued, closes its own side, and ends when the peer has closed the other. The
  /// queues must be closed.
  void finish();

private:
  frame_channel& at(mesh::lane l) { return *connections_[static_cast<std::size_t>(l)]; }
  receive_window& window(mesh::lane l) { return *windows_[static_cast<std::size_t>(l)]; }
  /// Whether a frame can be what its peer meant to send.
  error check_header(mesh::lane l, const mesh::frame_header& h);
  error receive(mesh::lane l, mesh::frame_ptr f);
  void refuse(const mesh::frame_ptr& f, mesh::role_set senders);
  error take_credit(const mesh::frame& f);
  void reading_ended(error why);
  kj::Promise<void> write_on(mesh::lane l);
  void end(error why);
  void taskFailed(kj::Exception&& e) override;

  loop_context& context_;
  arrivals bulk_arrivals_;
  peer who_;
  lanes connections_;
  std::shared_ptr<peer_queues> queues_;
  std::array<std::shared_ptr<receive_window>, mesh::lane_count> windows_;
  kj::Function<void(error)> on_end_;
  std::size_t lanes_readable_ = mesh::lane_count;
  std::uint64_t refusals_ = 0;
  std::uint64_t next_logged_refusal_ = 1;
  bool finishing_ = false;
  bool ended_ = false;
  kj::TaskSet tasks_; // last, so that it goes first: its promises use everything above
};

} // namespace gradmesh::env
