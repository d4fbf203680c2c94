#pragma once

/// Whether a job that is done has done what it had to.

#include "tools/sim/fault_driver.hpp"
#include "tools/sim/seed_run.hpp"
#include "tools/simulation/job_client.hpp"

#include <string>

namespace gradmesh::tools::sim {

/// What is wrong with the model or the clock logs of a job; empty if nothing is. `disks`: by host,
/// the coordinator's first. `record`: as in the job file; empty: none. `store`: null if there are
/// no bits to compare with.
std::string fault_of_job(const seed_plan& plan, const simulation::job_outcome& outcome,
                         const disk_list& disks, const std::string& record, sim_store* store);

} // namespace gradmesh::tools::sim
