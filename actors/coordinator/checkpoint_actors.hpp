#pragma once

/// What a coordinator needs for the checkpoints of its jobs: the actors that use the disk, and what
/// can be said of a folder before a job begins.

#include "actors/coordinator/job_run.hpp"

#include <caf/fwd.hpp>

#include <memory>
#include <string>

namespace gradmesh::coordinator {

/// Actors that tell `coordinator` what comes of their work; they do not keep it alive.
checkpoint_makers make_checkpoint_actors(coordinator_actor::pointer coordinator,
                                         const node::context& context);

/// The job file as text, or without one that of the checkpoint. Errors: `invalid_config`,
/// `not_found`.
result<config::job_config> config_of(const std::string& text, const restore_source& from,
                                     const std::shared_ptr<env::disk>& disk);

/// Better now than when the first checkpoint takes another job's away. Errors: `refused` if there
/// are checkpoints that the job does not go on from.
result<void> check_checkpoint_folder(const config::job_config& config, const restore_source& from,
                                     const std::shared_ptr<env::disk>& disk);

} // namespace gradmesh::coordinator
