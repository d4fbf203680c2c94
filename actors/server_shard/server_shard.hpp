#pragma once

/// A host of shards: the only owner of its replicas, so it needs no locks. Interface and messages:
/// actors.hpp; which replicas it has: job_replicas.hpp, replica.hpp; what they do with pushes and
/// pulls: shard_job.hpp, strategy.hpp.
///
/// Failure: a request that it cannot carry out is refused to its sender and counted; the host goes
/// on. It has the replicas of one job; a new plan replaces the old.

#include "actors/actors.hpp"
#include "actors/node/context.hpp"
#include "actors/server_shard/job_replicas.hpp"
#include "actors/server_shard/recording.hpp"

#include <map>

namespace gradmesh::server_shard {

struct server_shard_state {
  using pointer = server_shard_actor::stateful_pointer<server_shard_state>;

  pointer self = nullptr;
  node::context_ptr context;
  mesh::service_id service;
  std::unique_ptr<replica_host> host;
  std::unique_ptr<job_replicas> job;
  /// By shard; empty: the job is not recorded.
  std::map<std::uint32_t, std::shared_ptr<const record::write_progress>> recorded;
  mesh::node_uuid planner{}; // who made the job: another coordinator begins with job 1 again
  bool answers_due = false;
  bool resume_due = false;

  result<void> prepare(const message<schema::JobPlan>& plan);
  void end(std::uint64_t job_id);
  result<void> take(const message<schema::Layout>& layout);
  /// The replica that a message is for; it is told the time.
  template <class T>
  result<replica*> find(const message<T>& m);
  result<void> replicate(const message<schema::Replicate>& change);
  result<void> export_partition(const message<schema::ExportPartition>& request);
  result<void> on_chunks_taken(const message<schema::CheckpointTaken>& taken);
  void on_refused(const message<schema::Refusal>& refusal);
  void report() const;

private:
  /// A plan that is new here; `known`: of the job that the shard has.
  result<void> take_plan(const message<schema::JobPlan>& plan, bool known);
  result<void> start(job::job_plan plan, const message<schema::JobPlan>& from);
  result<void> record(const message<schema::JobPlan>& plan, const std::string& path);
  /// Says which shards came here since, so that what they do is not written down any more.
  void tell_unrecorded(const job::shard_layout& before) const;
};

server_shard_actor::behavior_type server_shard(server_shard_state::pointer self,
                                               node::context_ptr context, mesh::service_id service);

} // namespace gradmesh::server_shard
