#pragma once

/// What a worker has done in a phase, and where its time went.

#include "actors/env/clock.hpp"
#include "actors/learning/model.hpp"
#include "actors/mesh/message.hpp"

#include <array>
#include <cstdint>

namespace gradmesh::worker {

/// Why the compute stage has nothing to do.
enum class stall : std::uint8_t { none, lease, pull, push };

/// What a pipeline does at a moment.
struct activity {
  stall waiting_for = stall::none; // the compute stage
  bool leasing = false;            // a lease is on its way
  bool pulling = false;            // the parameters of a step are
  bool pushing = false;            // the gradients of a step, or their acknowledgement, are
};

class phase_progress {
public:
  explicit phase_progress(env::time_point now) : began_(now), since_(now) {}

  /// Charges the time since the last call to what was done then; `what` is done from now on.
  void account(env::time_point now, const activity& what);

  void add_step(const learning::step_metrics& metrics, double compute_seconds, std::uint32_t epoch);
  void add_skipped(std::size_t examples) { skipped_examples_ += examples; }
  void add_acknowledged_push(std::uint64_t staleness);
  void add_answered_pull() { ++pulls_; }
  /// A step's parameters have come, which were asked for at `began`; a shard has kept them back for
  /// `held` seconds, until the job's strategy allowed to read them. That is not communication.
  void add_pull(env::time_point began, env::time_point now, double held);
  void add_sent(std::size_t bytes) { bytes_sent_ += bytes; }
  void add_received(std::size_t bytes) { bytes_received_ += bytes; }

  /// Totals since the phase began, except the recent loss, which begins anew.
  void report(schema::WorkerProgress::Builder out);

  const learning::step_metrics& total() const { return total_; }
  std::uint64_t steps() const { return steps_; }
  std::uint64_t staleness_max() const { return staleness_max_; }

private:
  env::time_point began_;
  env::time_point since_;
  activity present_;
  std::array<double, 4> stalled_seconds_{};
  double leasing_seconds_ = 0;
  double pulling_seconds_ = 0; // with what shards kept back
  double pushing_seconds_ = 0;
  double held_pull_seconds_ = 0;
  env::time_point last_pull_{}; // when the step before had its parameters
  learning::step_metrics total_;
  learning::step_metrics recent_;
  std::uint64_t steps_ = 0;
  std::uint64_t skipped_examples_ = 0;
  std::uint64_t pushes_ = 0;
  std::uint64_t pulls_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t staleness_sum_ = 0;
  std::uint64_t staleness_max_ = 0;
  double compute_seconds_ = 0;
  std::uint32_t epoch_ = 0;
};

} // namespace gradmesh::worker
