#pragma once

/// Has the faults of a seed happen to its mesh, and says what they excuse.

#include "tools/sim/seed_plan.hpp"
#include "tools/simulation/faulty_disk.hpp"
#include "tools/simulation/faulty_mesh.hpp"

#include <memory>
#include <set>
#include <vector>

namespace gradmesh::tools::sim {

/// By host.
using disk_list = std::vector<std::shared_ptr<simulation::faulty_disk>>;

/// From now on; each ends by itself. The disks outlive the mesh.
void schedule_faults(const seed_plan& plan, simulation::faulty_mesh& mesh, const disk_list& disks);

/// Hosts that the coordinator may come to miss: they die, or are silent for longer than it waits,
/// or their link to it breaks. Of the coordinator itself: it dies.
std::set<simulation::host_id> may_be_missed(const seed_plan& plan);

/// Whether a host's disk may refuse to write.
bool may_fail_to_write(const seed_plan& plan, simulation::host_id host);

/// Whether a backup may acknowledge nothing for so long that its primary gives it up.
bool may_silence_backup(const seed_plan& plan);

/// Whether the job may fail: all copies of a shard may have been lost.
bool may_lose_shard(const seed_plan& plan);

} // namespace gradmesh::tools::sim
