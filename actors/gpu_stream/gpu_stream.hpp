#pragma once

/// Runs steps on one device without ever waiting for it: a step is enqueued, and when the device is
/// done with it, a thread of the device's library sends this actor a message. Interface and
/// messages: actors.hpp.
///
/// Steps are computed and handed back in the order in which they came. As many are on the device at
/// once as their program can keep apart (step_program::steps_at_once), so that copies of one run
/// beside products of the other; at most `waiting_max` more wait here, and one beyond that is
/// handed back with `limit_exceeded`. Of the step that would be begun next, parameters are copied
/// as they come.
///
/// Failure: a step that cannot be computed is handed back with its error. A fault of the backend,
/// which is of no use from then on, ends the actor with its text as the reason; so does a device
/// that is not done with a step after `step_timeout`. The steps that it had are its host's to
/// repeat (gpu_host.hpp). A device that hangs for good keeps this actor's thread.

#include "actors/actors.hpp"
#include "actors/env/clock.hpp"
#include "actors/gpu_stream/step_program.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>

namespace gradmesh::gpu_stream {

/// What a device has been through; written by its actors, read by whoever reports. Thread-safe.
struct device_health {
  std::atomic<unsigned> fresh_starts = 0;
  std::atomic<bool> on_cpu = false;
  std::atomic<std::uint64_t> bytes_copied = 0; // both ways
  std::atomic<std::uint64_t> bytes_spared = 0; // not copied, since the device had them
};

struct stream_options {
  std::size_t waiting_max = 4;
  std::chrono::seconds step_timeout{60};
  std::shared_ptr<device_health> health{}; // null: nobody reports
};

struct gpu_stream_state {
  using pointer = gpu_stream_actor::stateful_pointer<gpu_stream_state>;

  pointer self = nullptr;
  compute_client client;
  stream_options options;
  /// On the device, oldest first.
  struct begun_step {
    std::shared_ptr<worker::step_work> work;
    std::uint64_t number = 0;
  };
  std::deque<begun_step> running;
  std::deque<std::shared_ptr<worker::step_work>> waiting;
  std::shared_ptr<const worker::step_work> ahead; // not begun, and being copied from
  std::unique_ptr<step_program> program;          // goes before the steps that its device works on
  std::uint64_t number = 0;                       // of the step begun last
  env::time_point began;                          // the oldest had the device to itself
  gpu::copy_use counted;                          // of the copies, what the health has
  bool watching = false;                          // a tick is on its way

  void take(std::shared_ptr<worker::step_work> work);
  void begin_next();
  void copy_ahead(const compute_ahead& what);
  void on_done(std::uint64_t which);
  void on_tick();

private:
  void begin(std::shared_ptr<worker::step_work> work);
  void count_copies();
  /// Whether the backend had a fault; then the actor ends.
  bool lost();
  void end_with(const std::string& why);
};

gpu_stream_actor::behavior_type gpu_stream(gpu_stream_state::pointer self, compute_client client,
                                           std::shared_ptr<std::unique_ptr<step_program>> program,
                                           stream_options options);

} // namespace gradmesh::gpu_stream
