#pragma once

/// Who of the mesh takes part in a job. Plain code.

#include "actors/coordinator/membership.hpp"
#include "actors/job/job_plan.hpp"

#include <set>

namespace gradmesh::coordinator {

/// The most workers that a plan can have: each needs a piece of each step, but where batches go to
/// whoever asks.
std::size_t workers_max(const job::job_plan& plan);
/// The least: a step needs one that is no backup.
std::size_t workers_min(const job::job_plan& plan);

/// Those of the plan that are still there keep their order, and the others follow; at most
/// `workers_max`. Nodes that drain have no part.
std::vector<job::place> choose_workers(const membership& members, const job::job_plan& plan,
                                       const std::set<mesh::node_uuid>& draining);

/// With partitioned data those of the workers themselves. Otherwise all that have the data, in the
/// order of `choose_workers`; all that there are, if none has it.
std::vector<job::place> choose_data_servers(const membership& members, const job::job_plan& plan,
                                            const std::vector<job::place>& workers,
                                            const std::set<mesh::node_uuid>& draining,
                                            const std::set<mesh::address>& loaded);

/// With partitioned data: the data servers of these workers.
std::vector<job::place> own_data_of(const std::vector<job::place>& workers);

} // namespace gradmesh::coordinator
