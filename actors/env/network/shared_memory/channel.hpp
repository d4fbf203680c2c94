#pragma once

/// A lane through memory that two nodes of one user on one host share. Frames arrive as on TCP, in
/// order; the body of a received frame lies in the shared memory until its last reference goes
/// (any thread), unless too much of the memory is in use already: then it is copied out.
///
/// Failure: a peer that is gone, killed or not, is noticed by the end of the socket; what it had
/// written completely is still delivered. Nonsense in the memory ends the reading with
/// `malformed_message`; it cannot bring us to read or write elsewhere.
///
/// Lives on the loop thread. Must not be destroyed from within the frame handler.

#include "actors/env/network/frame_channel.hpp"
#include "actors/env/network/shared_memory/frame_receiver.hpp"
#include "actors/env/network/shared_memory/frame_sender.hpp"
#include "actors/env/network/spinner.hpp"

#include <kj/async-io.h>

namespace gradmesh::env::shm {

class channel final : public frame_channel, private pollable {
public:
  /// `socket` leads to the peer and carries nothing but wake-ups from now on. `side` is 0 where the
  /// memory was created and 1 where it was adopted. Errors: `io_failed` (no descriptors left).
  static result<kj::Own<channel>> open(kj::Own<kj::AsyncIoStream> socket,
                                       std::shared_ptr<memory> shared, std::size_t side,
                                       spinner& spin);

  channel(kj::Own<kj::AsyncIoStream> socket, kj::AutoCloseFd same_socket,
          std::shared_ptr<memory> shared, std::size_t side, spinner& spin);
  ~channel() override;

  kj::Promise<error> read_all(frame_handler handler) override;
  /// Fails as a stream does (DISCONNECTED) when the peer is gone.
  kj::Promise<void> write(std::vector<mesh::frame_ptr> frames) override;
  void shutdown_write() override;

private:
  bool poll() override;
  bool sleep() override;
  bool read_some();
  bool write_some();
  /// Reads wake-ups until the peer is gone.
  kj::Promise<void> watch();
  void wake();
  void stay_awake();
  void end_reading(error why);
  void end_writing(error why);
  /// Whether `step` has done anything; an exception (out of memory) ends the channel.
  template <class Step>
  bool guarded(Step step);

  std::shared_ptr<memory> memory_;
  std::shared_ptr<doorbell> bell_;
  std::atomic<std::uint32_t>& asleep_;
  frame_sender sender_;
  frame_receiver receiver_;
  spinner& spinner_;
  bool sleeps_ = false; // as far as we have heard
  error fault_;         // why no more can be written

  frame_handler handler_;
  kj::Own<kj::PromiseFulfiller<error>> reading_; // null = not, or not any more
  kj::Own<kj::PromiseFulfiller<void>> writing_;
  bool gone_ = false;

  kj::Own<kj::AsyncIoStream> socket_;
  std::array<std::byte, 64> wake_ups_;
  kj::Promise<void> watching_;
};

} // namespace gradmesh::env::shm
