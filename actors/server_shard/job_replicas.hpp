#pragma once

/// The replicas of one job on one host, by shard, and what the coordinator tells about them. Plain
/// code; the actor around it passes messages on.

#include "actors/server_shard/replica.hpp"

#include <map>
#include <memory>

namespace gradmesh::server_shard {

class job_replicas {
public:
  /// The replicas that the plan's layout has on this host. Errors: those of `replica::make`, and
  /// `refused` if there are none.
  static result<std::unique_ptr<job_replicas>>
  make(const job::job_plan& plan, const replica_host& host, const mesh::address& coordinator);

  std::uint64_t job_id() const { return plan_.job_id; }
  std::uint32_t revision() const { return plan_.revision; }
  const job::shard_layout& layout() const { return plan_.layout; }
  bool is_recorded() const { return !plan_.config.job.record.empty(); }
  const std::map<std::uint32_t, std::unique_ptr<replica>>& by_shard() const { return replicas_; }

  /// Goes on by another plan of the job: first its layout, if that is newer, then the plan.
  result<void> change(job::job_plan plan, const mesh::address& coordinator);

  /// Becomes what a layout says, if it is newer; answers LayoutTaken when synced backups have what
  /// is applied here, so that nothing that was told as done is lost with this host. Errors:
  /// `refused` if a replica cannot be what it says; then nothing has changed.
  result<void> take(const message<schema::Layout>& layout);
  /// A backup has more.
  result<void> replicated(replica& by, const message<schema::Replicated>& answer);

  /// The replica of a shard. Errors: `stale_layout` if the message is for another layout, `refused`
  /// if there is none.
  result<replica*> find(std::uint32_t shard, std::uint64_t layout) const;
  /// The primary of the shard that owns a partition. Errors: `refused` if it is not here.
  result<replica*> owner_of(std::uint32_t partition) const;

  /// What primaries have to do for a checkpoint; answers a hold. Errors: those of decoding. What is
  /// of another job or layout is late and ignored.
  result<void> make_checkpoint(const message<schema::CheckpointStage>& m, env::time_point now);

  /// A backup refused something: it is sent nothing until `resume`.
  void pause(const mesh::address& backup);
  void resume();
  void link_lost(const mesh::node_uuid& node);
  /// Tells primaries what is applied here.
  void answer_primaries();
  void tick(env::time_point now);

private:
  job_replicas(job::job_plan plan, parameters::partition_map map, const replica_host& host)
      : plan_(std::move(plan)), map_(std::move(map)), host_(host) {}

  result<void> apply(const job::shard_layout& layout, const mesh::address& coordinator);
  mesh::draft<schema::LayoutTaken> progress() const;
  void answer_layout();

  job::job_plan plan_;
  parameters::partition_map map_;
  const replica_host& host_;
  std::map<std::uint32_t, std::unique_ptr<replica>> replicas_;
  std::optional<message<schema::Layout>> unanswered_;
};

} // namespace gradmesh::server_shard
