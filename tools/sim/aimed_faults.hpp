#pragma once

/// Faults that come together, at the moments that the rules of replication are for: a seed's other
/// faults hit these too seldom.

#include "tools/sim/fault_chance.hpp"

namespace gradmesh::tools::sim {

/// Makes the plan's job longer, so that a server can come back and be lost again, and its mesh
/// larger where it may be.
void plan_aimed(seed_plan& plan, const mesh_sizes& sizes, fault_chance& chance);
/// Adds the faults, where there are two servers to have them.
void add_aimed_faults(seed_plan& plan, fault_chance& chance);

} // namespace gradmesh::tools::sim
