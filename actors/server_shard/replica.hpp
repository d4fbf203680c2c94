#pragma once

/// A copy of a shard of a job on one host: its primary, which answers workers, or its backup, which
/// does what the primary does. The layout (job/shard_layout.hpp) says which; only a layout makes a
/// backup the primary.
///
/// A host that was told to be a backup in a new pairing forgets what it had, whatever that was: it
/// may have been left behind. It becomes complete by a snapshot, one in a pairing, or by having
/// been there from the beginning of the job. Plain code, used by its actor alone.

#include "actors/job/shard_layout.hpp"
#include "actors/server_shard/shard_job.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace gradmesh::server_shard {

/// What the replicas of a host share; it outlives them.
struct replica_host {
  std::shared_ptr<mesh::router> router;
  mesh::service_id service;
  rule_set rules;
  const parameters::rule_registry* update_rules = nullptr;
  /// Of changes that a backup has not acknowledged.
  std::size_t waiting_bytes_max = replication_ends{}.waiting_bytes_max;

  mesh::address address() const { return router->local(service); }
};

class replica {
public:
  /// The replica of `shard` that the plan's layout has on this host. `begins`: the job begins, so
  /// the initial parameters are what a primary and a synced backup have. Errors: those of
  /// shard_job, `refused` if it would have to have more than that.
  static result<std::unique_ptr<replica>> make(const job::job_plan& plan, std::uint32_t shard,
                                               const replica_host& host,
                                               const mesh::address& coordinator, bool begins);

  std::uint32_t shard() const { return job_->index(); }
  bool is_primary() const { return primary_; }
  /// Whether it has all of the shard that it was told.
  bool is_complete() const { return complete_; }
  shard_job& job() { return *job_; }
  const shard_job& job() const { return *job_; }
  const replication* backup() const { return backup_.get(); }

  /// Goes on by another plan of the job.
  result<void> change(const job::job_plan& plan);

  /// Whether it can be what the layout says. Errors: `refused`.
  result<void> check(const job::shard_layout& layout) const;
  /// Becomes it; it was checked and names this host.
  result<void> become(const job::shard_layout& layout, const mesh::address& coordinator);

  // Messages; errors are what the sender is told.
  result<void> pull(const message<schema::Pull>& request);
  result<void> push(const message<schema::Push>& request);
  result<void> replicate(const message<schema::Replicate>& change);
  result<void> replicated(const message<schema::Replicated>& answer);
  result<void> take(const message<schema::SnapshotChunk>& chunk);
  result<void> taken(const message<schema::SnapshotTaken>& answer);
  /// Whether a backup that may be promoted has all that was applied here.
  bool is_replicated() const { return !backup_ || backup_->has(backup_->last()); }
  replication* backup() { return backup_.get(); }

  /// A chunk of the checkpoint that the job goes on from, before it begins.
  result<void> take(const message<schema::RestoreChunk>& chunk);

  /// Tells the primary what is applied here, if it was not told.
  void answer_primary();
  /// Does again what failed; called now and then.
  void tick(env::time_point now);

private:
  replica(const replica_host& host, job::job_plan plan, std::unique_ptr<shard_job> job)
      : host_(host), plan_(std::move(plan)), job_(std::move(job)) {}

  template <class T>
  result<void> check_fence(const message<T>& m) const;
  void be_primary();
  result<void> apply_pending();
  void start_backup();
  result<void> forget();

  const replica_host& host_;
  job::job_plan plan_; // with the present layout
  std::unique_ptr<shard_job> job_;
  mesh::address coordinator_;
  bool primary_ = false;
  bool complete_ = false;
  std::uint64_t pairing_ = 0; // in which the backup has what it has

  std::unique_ptr<replication> backup_; // primary: null if there is none

  // Backup.
  std::vector<message<schema::Replicate>> pending_; // of a change that goes on
  std::uint64_t next_ = 1;                          // number of the change that comes next
  std::uint64_t applied_ = 0;                       // number of the last that is applied
  bool answer_due_ = false;
  std::uint64_t chunks_ = 0; // of a snapshot that are in
  strategy_state arriving_;  // what chunks said beside parameters
  bool restored_ = false;    // all of a checkpoint is in
};

} // namespace gradmesh::server_shard
