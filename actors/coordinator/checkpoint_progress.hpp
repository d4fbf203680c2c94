#pragma once

/// What a checkpoint says of a job beside its shards: which job can go on from it, and from where.

#include "actors/job/job_plan.hpp"
#include "actors/store/checkpoint_manifest.hpp"

#include <cstdint>
#include <string>

namespace gradmesh::coordinator {

/// What must be the same in a job that goes on from a checkpoint: the parameters, what a step is,
/// and the state of the update rules. Everything else may change: rates, the strategy, the members,
/// how long it runs.
store::model_identity identity_of(const job::job_plan& plan);

struct checkpoint_progress {
  std::string config;  // the job file
  job::piece_set done; // all that the shards have applied
  std::uint32_t pieces = 0;
  std::uint64_t examples = 0;
};

/// schema::CheckpointProgress as bytes.
std::string encode(const checkpoint_progress& progress);
/// Errors: `malformed_data`.
result<checkpoint_progress> decode_progress(const std::string& bytes);

} // namespace gradmesh::coordinator
