#pragma once

/// One seed: its mesh is started, its job submitted, its faults happen, and what must hold whatever
/// went wrong is looked at.
///
/// - The client hears of the end of its job within `end_limit` of virtual time after the faults.
/// - A job that is done has applied every example as often as it has epochs (counting model), or
///   has the bits of an undisturbed run; and the clock logs of its shards keep the job's contract.
/// - The coordinator never says two things of one epoch, revision or phase, and of a job not even
///   in two of its lives (wire_watch.hpp).
/// - A primary gives up a backup only where a fault may have silenced it.
/// - No actor fails, and none outlives its node.
/// - A mesh in which a job failed does the next one without fault.
/// - Of checkpoints: one that a client was told of is there, whatever happened to the disk but a
///   flipped bit; with one, no loss of servers makes a job fail; and a job that goes on from the
///   newest satisfies all of this, too.

#include "actors/rules.hpp"
#include "tools/sim/seed_plan.hpp"
#include "tools/simulation/actor_host.hpp"

#include <functional>
#include <map>
#include <string>

namespace gradmesh::tools::sim {

inline constexpr std::chrono::seconds end_limit{60};

struct seed_report {
  std::string violation; // empty: all is as it must be
  std::uint64_t hash = 0;
  std::uint64_t frames = 0;
  double virtual_seconds = 0;
  bool job_failed = false; // the first one, by a fault
  std::string parameters_sha256;
};

/// What runs share, because it costs more than a run.
class sim_store {
public:
  simulation::actor_hosts hosts;

  const std::string& data_of(const seed_plan& plan);
  /// Parameters of the plan's job when nothing goes wrong. Errors: why there are none.
  result<std::string> bits_of(const seed_plan& plan);

private:
  std::map<std::pair<data_kind, std::size_t>, std::string> data_;
  std::map<std::pair<data_kind, std::uint32_t>, std::string> bits_; // by epochs
};

struct run_options {
  rule_set rules{};
  /// The run is one that others are compared with.
  bool undisturbed = false;
  /// Told of what happens, a line each; may be empty.
  std::function<void(const std::string&)> trace{};
};

seed_report run_seed(const seed_plan& plan, const run_options& options, sim_store& store);

} // namespace gradmesh::tools::sim
