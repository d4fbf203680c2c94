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

class phase_progress {
public:
  explicit phase_progress(env::time_point now) : since_(now) {}

  /// Charges the time since the last call to what the compute stage waited for then; `why` is what
  /// it waits for from now on.
  void account(env::time_point now, stall why);

  void add_step(const learning::step_metrics& metrics, double compute_seconds, std::uint32_t epoch);
  void add_skipped(std::size_t examples) { skipped_examples_ += examples; }
  void add_acknowledged_push(std::uint64_t staleness);
  void add_answered_pull() { ++pulls_; }
  void add_sent(std::size_t bytes) { bytes_sent_ += bytes; }
  void add_received(std::size_t bytes) { bytes_received_ += bytes; }

  /// Totals since the phase began, except the recent loss, which begins anew.
  void report(schema::WorkerProgress::Builder out);

  const learning::step_metrics& total() const { return total_; }
  std::uint64_t steps() const { return steps_; }
  std::uint64_t staleness_max() const { return staleness_max_; }

private:
  env::time_point since_;
  stall waiting_for_ = stall::none;
  std::array<double, 4> stalled_seconds_{};
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
