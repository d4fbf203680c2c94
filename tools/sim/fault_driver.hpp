#pragma once

/// Has the faults of a seed happen to its mesh, and says what they excuse.

#include "tools/sim/seed_plan.hpp"
#include "tools/simulation/faulty_disk.hpp"
#include "tools/simulation/faulty_mesh.hpp"

#include <memory>
#include <string>
#include <vector>

namespace gradmesh::tools::sim {

/// By host.
using disk_list = std::vector<std::shared_ptr<simulation::faulty_disk>>;

/// From now on; each ends by itself. The disks outlive the mesh.
void schedule_faults(const seed_plan& plan, simulation::faulty_mesh& mesh, const disk_list& disks);

/// Whether a job may fail because a node of this name was lost. Faults that are over before anybody
/// gives up excuse nothing; one that meets the coordinator excuses all.
bool excuses(const seed_plan& plan, const std::string& node);

} // namespace gradmesh::tools::sim
