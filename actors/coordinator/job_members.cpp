#include "actors/coordinator/job_members.hpp"

#include <algorithm>
#include <limits>

namespace gradmesh::coordinator {
namespace {

/// Those of `before` that are still there, then the others.
std::vector<job::place> in_order(std::vector<job::place> there,
                                 const std::vector<job::place>& before,
                                 const std::set<mesh::node_uuid>& draining) {
  std::erase_if(there, [&](const job::place& p) { return draining.contains(p.where.node); });
  std::ranges::stable_sort(there, {},
                           [&](const job::place& p) { return job::index_of(before, p.where); });
  return there;
}

} // namespace

std::size_t workers_max(const job::job_plan& plan) {
  return plan.by_rank() ? plan.pieces : std::numeric_limits<std::size_t>::max();
}

std::size_t workers_min(const job::job_plan& plan) {
  return plan.backup_workers() + std::size_t{1};
}

std::vector<job::place> choose_workers(const membership& members, const job::job_plan& plan,
                                       const std::set<mesh::node_uuid>& draining) {
  auto chosen = in_order(members.services(mesh::service_kind::worker), plan.workers, draining);
  if (chosen.size() > workers_max(plan)) chosen.resize(workers_max(plan));
  return chosen;
}

std::vector<job::place> own_data_of(const std::vector<job::place>& workers) {
  std::vector<job::place> places;
  for (const auto& worker : workers)
    places.push_back(
        {{worker.where.node, {mesh::service_kind::local_data, worker.where.service.index}},
         worker.name});
  return places;
}

std::vector<job::place> choose_data_servers(const membership& members, const job::job_plan& plan,
                                            const std::vector<job::place>& workers,
                                            const std::set<mesh::node_uuid>& draining,
                                            const std::set<mesh::address>& loaded) {
  if (plan.partitioned()) return own_data_of(workers);
  auto there =
      in_order(members.services(mesh::service_kind::data_server), plan.data_servers, draining);
  auto ready = there;
  std::erase_if(ready, [&](const job::place& p) { return !loaded.contains(p.where); });
  return ready.empty() ? there : ready;
}

} // namespace gradmesh::coordinator
