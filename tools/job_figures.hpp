#pragma once

/// What the views of a job derive from a JobUpdate. NaN stands for what is not known yet.
///
/// Here as in every function that reads a message: a pointer in it that leads nowhere throws
/// kj::Exception, so callers run under `mesh::guarded`.

#include "schema/job.capnp.h"

#include <cstdint>
#include <string>

namespace gradmesh::tools {

/// "training"; "unknown" for a number that the schema does not have.
const char* phase_name(schema::JobPhase phase);

bool has_ended(schema::JobPhase phase);

/// All workers finish a step before any begins the next, so nothing is ever stale.
bool is_synchronous(schema::JobUpdate::Reader update);

/// Training examples that the workers went through.
std::uint64_t examples_trained(schema::JobUpdate::Reader update);

/// Over the training phase, as far as it is.
double examples_per_second(schema::JobUpdate::Reader update);

/// How far the phase is that runs.
struct phase_progress {
  double done = 0;  // examples
  double total = 0; // 0: the phase has no measure

  double fraction() const { return total > 0 ? done / total : 0; }
};
phase_progress progress_of(schema::JobUpdate::Reader update);

/// Updates that were applied to the parameters between a worker's pull and its push.
struct staleness {
  double mean = 0;
  std::uint64_t max = 0;
};
staleness staleness_of(schema::JobUpdate::Reader update);
staleness staleness_of(schema::WorkerProgress::Reader worker);

/// A worker's seconds with requests on their way, each kind by itself.
double communication_seconds(schema::WorkerProgress::Reader worker);

/// How well the workers computed while they communicated: the time of their steps by the longer of
/// computing and communicating. 1: the shorter was hidden whole; 2: as long one after the other,
/// where both are equal. What strategies make workers wait for comes on top.
double overlap_of(schema::JobUpdate::Reader update);

double test_accuracy(schema::JobUpdate::Reader update);
/// Mean over the test examples.
double test_loss(schema::JobUpdate::Reader update);

/// A text of the update as one line that cannot steer a terminal.
std::string shown(capnp::Text::Reader text);

} // namespace gradmesh::tools
