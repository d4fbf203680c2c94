#pragma once

/// Makes a seed one of checkpoints: they are made while its job runs, things go wrong with them and
/// around them, and another job goes on from them.

#include "tools/sim/fault_chance.hpp"

namespace gradmesh::tools::sim {

/// Where the checkpoints of a seed's job are, on the coordinator's machine.
inline constexpr const char* checkpoint_folder = "checkpoints";

/// Decides how, before the plan's job is written.
void plan_checkpoints(seed_plan& plan, fault_chance& chance);
/// The job's section about them.
std::string checkpoint_lines(const seed_plan& plan, fault_chance& chance);
/// Adds the faults that matter; the machines are known.
void add_checkpoint_faults(seed_plan& plan, fault_chance& chance);

/// Whether a checkpoint that was whole may be damaged.
bool may_damage_checkpoints(const seed_plan& plan);

} // namespace gradmesh::tools::sim
