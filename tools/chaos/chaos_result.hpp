#pragma once

/// What came of a run of `gradmesh chaos`, and how it is shown.

#include "tools/chaos/counting_job.hpp"
#include "tools/chaos/fault_plan.hpp"
#include "tools/chaos/recovery.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace gradmesh::tools::chaos {

struct fault_outcome {
  fault what;
  long process_id = 0;
  double at_seconds = 0; // since the mesh was started
  /// From the fault to the report of a worker that shows that steps go on.
  std::optional<double> recovery_seconds;
  /// From the fault to the node's being a member again (after it, for faults that last).
  std::optional<double> back_seconds;
  /// Until both; of a mesh whose connections go through the proxy.
  std::optional<push_recovery> pushes{};
};

struct chaos_result {
  std::uint64_t seed = 0;
  double heartbeat_seconds = 0;
  std::vector<fault_outcome> faults;
  unsigned jobs_done = 0; // with faults; the one without, for comparison, is not counted
  unsigned restarts = 0;
  double seconds = 0;
  std::vector<std::string> violations;
  std::string failure; // why a job was not finished; empty: all were
  bool interrupted = false;
  std::vector<count_result> counts; // of each job, where it is the counting job
  std::string sha256;               // of an undisturbed run, where the bits have to be the same

  bool passed() const { return failure.empty() && violations.empty() && !interrupted; }
};

/// "  12.34s  server-1 (process 4711): kill; steps went on after 0.41s, member again after 0.52s"
std::string fault_line(const fault_outcome& f);

/// Recovery times by kind, what was checked, and the verdict on the last line.
std::string report_text(const chaos_result& result);
nlohmann::ordered_json report_json(const chaos_result& result);

/// "verdict: PASS: ...", INTERRUPTED, FAILED (a job was not finished), VIOLATED.
std::string verdict_line(const chaos_result& result);

} // namespace gradmesh::tools::chaos
