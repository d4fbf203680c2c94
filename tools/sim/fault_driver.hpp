#pragma once

/// Has the faults of a seed happen to its mesh, and says what they excuse.

#include "tools/sim/seed_plan.hpp"
#include "tools/simulation/faulty_mesh.hpp"

#include <set>
#include <string>

namespace gradmesh::tools::sim {

/// From now on; each ends by itself.
void schedule_faults(const seed_plan& plan, simulation::faulty_mesh& mesh);

/// Whether a job may fail because a node of this name was lost. Faults that are over before anybody
/// gives up excuse nothing; one that meets the coordinator excuses all.
bool excuses(const seed_plan& plan, const std::string& node);

} // namespace gradmesh::tools::sim
