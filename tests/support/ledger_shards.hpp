#pragma once

/// Server shards that keep books instead of parameters, in the place of the real ones of a virtual
/// mesh: which pieces were pushed how often, and whether everybody kept to the protocol of layouts
/// and generations. All replicas of a shard share one book, as if replication were perfect; so what
/// these tests find is the fault of the coordinator, the workers or the data servers.

#include "actors/job/job_plan.hpp"
#include "actors/node/context.hpp"
#include "actors/node/node.hpp"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace gradmesh::testing {

class ledger_shards {
public:
  /// Takes over the server shard of a node.
  void attach(node::node& server);

  /// How often each piece was pushed to a shard for the first time in its life, and again.
  struct book {
    std::uint64_t clock = 0;
    job::piece_set done;
    std::uint64_t repeated = 0; // pushes of what was done
    std::uint64_t overlaps = 0; // pushes that were done in part
    std::uint64_t too_old = 0;  // bsp: pulls of what two versions do not have any more
  };
  const std::map<std::uint32_t, book>& books() const { return books_; }
  /// Of the pieces of a job, those that are not done on all shards.
  std::uint64_t missing(std::uint64_t pieces) const;
  std::uint64_t repeated() const;
  std::uint64_t stale_requests() const { return stale_; }
  const job::shard_layout& layout() const { return layout_; }
  std::uint32_t revision() const { return revision_; }
  std::uint64_t first_step() const { return first_step_; }
  /// Backups that are named say so at once, unless this is false.
  bool sync_backups = true;

private:
  struct host {
    node::context_ptr context;
    mesh::service_id service;
    std::optional<job::job_plan> plan;
    std::map<std::uint32_t, std::vector<mesh::message<schema::Push>>> held; // bsp, by shard
    std::map<std::uint32_t, std::vector<mesh::message<schema::Pull>>> waiting;
  };

  result<void> on_frame(host& h, const mesh::frame_ptr& f);
  void on_plan(host& h, const mesh::message<schema::JobPlan>& request);
  result<void> on_layout(host& h, const mesh::message<schema::Layout>& request);
  result<void> check(host& h, std::uint32_t shard, std::uint64_t number);
  result<void> on_pull(host& h, const mesh::message<schema::Pull>& request);
  result<void> on_push(host& h, const mesh::message<schema::Push>& request);
  result<void> on_export(host& h, const mesh::message<schema::ExportPartition>& request);
  void answer(host& h, const mesh::message<schema::Pull>& request);
  void acknowledge(host& h, const mesh::message<schema::Push>& request);
  void sum_steps(host& h, std::uint32_t shard);
  void name_synced(host& h, const mesh::address& coordinator);

  std::vector<std::unique_ptr<host>> hosts_;
  std::map<std::uint32_t, book> books_;
  job::shard_layout layout_;
  std::uint32_t revision_ = 0;
  std::uint64_t first_step_ = 0;
  std::uint64_t stale_ = 0;
};

} // namespace gradmesh::testing
