#pragma once

/// INTERNAL to tools: what `summary_text` (job_view.hpp) is made of.

#include "schema/job.capnp.h"

#include <string>

namespace gradmesh::tools {

/// What the user can do after the job, as commands to copy; a line each.
std::string next_steps(schema::JobUpdate::Reader update);

} // namespace gradmesh::tools
