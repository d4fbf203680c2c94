#pragma once

/// Supervises a gpu_stream: hands it the steps, and when it ends with a fault, starts a fresh one
/// on the device and has the steps repeated that had not come back. A device that fails
/// `fresh_starts_max` times without a step between, or that cannot be opened again, is given up:
/// the CPU takes its place, and the log and the gauges say so. Whoever asked notices nothing but
/// time (and float32's last bits). What steps go on from besides parameters (what pushes lost by
/// job.push_as, SVRG's snapshot) is whoever makes the programs to hand on.
///
/// Failure: where not even the CPU's program can be made, it ends, with the reason.

#include "actors/actors.hpp"
#include "actors/env/environment.hpp"
#include "actors/gpu_stream/gpu_stream.hpp"

#include <deque>
#include <memory>
#include <string>

namespace gradmesh::gpu_stream {

struct host_options {
  std::string device; // its name, for the log
  stream_options stream;
  env::placement place = env::placement::detached;
  env::log_sink log;
  std::shared_ptr<device_health> health; // never null; the stream's too
};

struct gpu_host_state {
  using pointer = gpu_host_actor::stateful_pointer<gpu_host_state>;

  pointer self = nullptr;
  compute_client client;
  program_maker make;
  host_options options;
  gpu_stream_actor stream;
  std::deque<std::shared_ptr<worker::step_work>> under_way; // in the order in which they came
  unsigned failures = 0;                                    // since a step came back

  gpu_host_state() = default;
  gpu_host_state(const gpu_host_state&) = delete;
  gpu_host_state& operator=(const gpu_host_state&) = delete;
  ~gpu_host_state(); // ends the stream

  void start(std::unique_ptr<step_program> program);
  void take(std::shared_ptr<worker::step_work> work);
  void on_done(const compute_done& done);
  void on_down(const caf::down_msg& down);

private:
  void fall_back(const std::string& why);
};

/// `first` is the program on the device, which the caller has made to see whether that is possible.
gpu_host_actor::behavior_type gpu_host(gpu_host_state::pointer self, compute_client client,
                                       std::shared_ptr<std::unique_ptr<step_program>> first,
                                       program_maker make, host_options options);

} // namespace gradmesh::gpu_stream
