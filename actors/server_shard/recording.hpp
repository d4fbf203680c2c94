#pragma once

/// `job.record` on a shard: its clock log, from the file to the sink that the job tells.

#include "actors/mesh/message.hpp"
#include "actors/node/context.hpp"
#include "actors/record/recorder.hpp"

#include <caf/fwd.hpp>

#include <memory>
#include <string>

namespace gradmesh::server_shard {

struct recording {
  std::unique_ptr<record::event_sink> sink;
  std::shared_ptr<const record::write_progress> progress;
};

/// A plan as the log of the shard at `index` has it.
record::plan_record plan_record_of(const mesh::message<schema::JobPlan>& plan, std::size_t index,
                                   const rule_set& rules);

/// Creates the log of the shard at `index` of a plan, PATH.INDEX, in the place of what was there,
/// and an actor that writes it. Errors: `io_failed`.
result<recording> start_recording(caf::actor_system& system, const node::context& context,
                                  const std::string& path, std::size_t index,
                                  const mesh::message<schema::JobPlan>& plan);

} // namespace gradmesh::server_shard
