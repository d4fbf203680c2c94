#pragma once

/// Decides where the copies of a job's shards are. Plain code, one owner; whoever owns it publishes
/// the layouts.
///
/// A shard whose primary is gone gets its backup as primary, if that is known to be synced: another
/// one may lack what was acknowledged. A backup that is gone is dropped, and where there is a
/// server on another node a new one is named, which the primary brings up to date (`synced`). The
/// layout's number grows with every change and never goes back.

#include "actors/job/shard_layout.hpp"
#include "actors/rules.hpp"

#include <set>

namespace gradmesh::coordinator {

class layout_keeper {
public:
  /// A shard for each server; with `copies` = 2 also a backup of each on another node, if there is
  /// one. All replicas of a job that begins are equal, so these backups are synced. At least one
  /// server.
  layout_keeper(const std::vector<job::place>& servers, std::uint32_t copies, std::uint64_t number,
                rule_set rules);
  /// Goes on from a layout that was published.
  layout_keeper(job::shard_layout known, std::uint32_t copies, rule_set rules);

  const job::shard_layout& layout() const { return layout_; }

  /// Adapts the layout to the servers that are there now. Replicas leave the nodes that are
  /// `draining`: a shard's primary moves when a synced backup elsewhere can take its place. True if
  /// the layout has changed.
  bool update(const std::vector<job::place>& servers, const std::set<mesh::node_uuid>& draining);

  /// A primary says that its backup of this pairing has all that it has itself. True if the layout
  /// has changed; news of replicas that are not these are ignored.
  bool synced(std::uint32_t shard, std::uint64_t pairing, const mesh::address& primary);

  /// A primary says that its backup of this pairing does not answer it. True if the layout has
  /// changed.
  bool part(std::uint32_t shard, std::uint64_t pairing, const mesh::address& primary);

  /// Gives the layout the next number.
  void renumber() { ++layout_.number; }

  /// Shards that have neither a primary nor a backup that could become one. They are lost for good.
  const std::vector<std::uint32_t>& lost() const { return lost_; }
  /// Replicas on nodes, of those that drain.
  std::uint32_t replicas_on(const std::set<mesh::node_uuid>& nodes) const;

private:
  /// The shard with this primary and a backup since this layout; null: there is none.
  job::shard_replicas* find(std::uint32_t shard, std::uint64_t pairing,
                            const mesh::address& primary);
  bool lose_absent(const std::vector<job::place>& servers);
  bool leave(const std::set<mesh::node_uuid>& draining);
  bool name_backups(const std::vector<job::place>& servers,
                    const std::set<mesh::node_uuid>& draining);
  /// The server with the fewest replicas that is not on the primary's node; on equal terms the next
  /// behind the primary.
  std::optional<job::place> backup_for(const job::place& primary,
                                       const std::vector<job::place>& servers,
                                       const std::set<mesh::node_uuid>& draining) const;
  std::size_t replicas_at(const job::place& server) const;
  void promote(std::size_t shard);

  job::shard_layout layout_;
  std::uint32_t copies_;
  rule_set rules_;
  std::vector<std::uint32_t> lost_;
};

} // namespace gradmesh::coordinator
