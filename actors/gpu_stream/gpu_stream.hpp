#pragma once

/// Runs steps on one device without ever waiting for it: a step is enqueued, and when the device is
/// done with it, a thread of the device's library sends this actor a message. Interface and
/// messages: actors.hpp.
///
/// Steps are computed and handed back in the order in which they came. One is on the device at a
/// time, since a model's buffers are its step's until it ends; its copies and products overlap
/// there all the same. At most `waiting_max` more wait here, and one beyond that is handed back
/// with `limit_exceeded`.
///
/// Failure: a step that cannot be computed is handed back with its error. A fault of the backend,
/// which is of no use from then on, ends the actor with its text as the reason; so does a device
/// that is not done with a step after `step_timeout`. The steps that it had are its host's to
/// repeat (gpu_host.hpp). A device that hangs for good keeps this actor's thread.

#include "actors/actors.hpp"
#include "actors/env/clock.hpp"
#include "actors/gpu_stream/step_program.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>

namespace gradmesh::gpu_stream {

struct stream_options {
  std::size_t waiting_max = 4;
  std::chrono::seconds step_timeout{60};
};

struct gpu_stream_state {
  using pointer = gpu_stream_actor::stateful_pointer<gpu_stream_state>;

  pointer self = nullptr;
  compute_client client;
  stream_options options;
  std::shared_ptr<worker::step_work> running;
  std::deque<std::shared_ptr<worker::step_work>> waiting;
  std::unique_ptr<step_program> program; // goes before the step that its device writes to
  std::uint64_t number = 0; // of the running step
  env::time_point began;
  bool watching = false; // a tick is on its way

  void take(std::shared_ptr<worker::step_work> work);
  void begin_next();
  void on_done(std::uint64_t which);
  void on_tick();

private:
  /// Whether the backend had a fault; then the actor ends.
  bool lost();
  void end_with(const std::string& why);
};

gpu_stream_actor::behavior_type gpu_stream(gpu_stream_state::pointer self, compute_client client,
                                           std::shared_ptr<std::unique_ptr<step_program>> program,
                                           stream_options options);

} // namespace gradmesh::gpu_stream
