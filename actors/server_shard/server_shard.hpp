#pragma once

/// A server shard: the only owner of its partitions, so it needs no locks. Interface and messages:
/// actors.hpp; what it does with pushes and pulls: shard_job.hpp, strategy.hpp.
///
/// Failure: a request that it cannot carry out is refused to its sender and counted; the shard goes
/// on. It holds the parameters of one job; a new plan replaces the old.

#include "actors/actors.hpp"
#include "actors/node/context.hpp"
#include "actors/server_shard/recording.hpp"
#include "actors/server_shard/shard_job.hpp"

namespace gradmesh::server_shard {

struct server_shard_state {
  using pointer = server_shard_actor::stateful_pointer<server_shard_state>;

  pointer self = nullptr;
  node::context_ptr context;
  mesh::service_id service;
  std::unique_ptr<shard_job> job;
  std::shared_ptr<const record::write_progress> recorded; // null: the job is not
  mesh::node_identity planner; // who made the job: a coordinator's restart begins with job 1 again

  result<void> prepare(const message<schema::JobPlan>& plan);
  void end(std::uint64_t job_id);
  /// The job that a request must be for; it is told the time.
  result<shard_job*> current(env::time_point now);
  void report() const;

private:
  result<void> record(const message<schema::JobPlan>& plan, const std::string& path,
                      std::size_t index);
};

server_shard_actor::behavior_type server_shard(server_shard_state::pointer self,
                                               node::context_ptr context, mesh::service_id service);

} // namespace gradmesh::server_shard
