#include "actors/coordinator/layout_keeper.hpp"

#include <algorithm>
#include <utility>

namespace gradmesh::coordinator {
namespace {

bool is_among(const job::place& p, const std::vector<job::place>& places) {
  return std::ranges::any_of(places,
                             [&](const job::place& other) { return other.where == p.where; });
}

} // namespace

layout_keeper::layout_keeper(const std::vector<job::place>& servers, std::uint32_t copies,
                             std::uint64_t number, rule_set rules)
    : layout_(job::unreplicated(servers)), copies_(copies), rules_(rules) {
  layout_.number = number - 1;
  (void)name_backups(servers, {});
  for (auto& replicas : layout_.shards)
    replicas.synced = replicas.backup.has_value();
  renumber();
}

layout_keeper::layout_keeper(job::shard_layout known, std::uint32_t copies, rule_set rules)
    : layout_(std::move(known)), copies_(copies), rules_(rules) {}

bool layout_keeper::update(const std::vector<job::place>& servers,
                           const std::set<mesh::node_uuid>& draining) {
  bool changed = lose_absent(servers);
  changed = leave(draining) || changed;
  changed = name_backups(servers, draining) || changed;
  if (changed) renumber();
  return changed;
}

void layout_keeper::promote(std::size_t shard) {
  auto& replicas = layout_.shards[shard];
  replicas.primary = *std::exchange(replicas.backup, std::nullopt);
  replicas.synced = false;
}

bool layout_keeper::lose_absent(const std::vector<job::place>& servers) {
  bool changed = false;
  for (std::size_t shard = 0; shard < layout_.size(); ++shard) {
    auto& replicas = layout_.shards[shard];
    if (replicas.backup && !is_among(*replicas.backup, servers)) {
      replicas.backup.reset();
      replicas.synced = false;
      changed = true;
    }
    if (is_among(replicas.primary, servers)) continue;
    const auto number = static_cast<std::uint32_t>(shard);
    if (replicas.backup && (replicas.synced || !rules_.keeps(rule::promote_synced))) {
      promote(shard);
      changed = true;
    } else if (std::ranges::find(lost_, number) == lost_.end()) {
      lost_.push_back(number);
      changed = true;
    }
  }
  return changed;
}

bool layout_keeper::leave(const std::set<mesh::node_uuid>& draining) {
  bool changed = false;
  for (std::size_t shard = 0; shard < layout_.size(); ++shard) {
    auto& replicas = layout_.shards[shard];
    if (!replicas.backup) continue;
    if (draining.contains(replicas.backup->where.node)) {
      replicas.backup.reset();
      replicas.synced = false;
      changed = true;
    } else if (draining.contains(replicas.primary.where.node) && replicas.synced) {
      promote(shard);
      changed = true;
    }
  }
  return changed;
}

bool layout_keeper::name_backups(const std::vector<job::place>& servers,
                                 const std::set<mesh::node_uuid>& draining) {
  bool changed = false;
  for (std::size_t shard = 0; shard < layout_.size(); ++shard) {
    auto& replicas = layout_.shards[shard];
    const bool wanted = copies_ > 1 || draining.contains(replicas.primary.where.node);
    if (replicas.backup || !wanted || !is_among(replicas.primary, servers)) continue;
    replicas.backup = backup_for(replicas.primary, servers, draining);
    if (!replicas.backup) continue;
    replicas.pairing = layout_.number + 1;
    changed = true;
  }
  return changed;
}

std::optional<job::place>
layout_keeper::backup_for(const job::place& primary, const std::vector<job::place>& servers,
                          const std::set<mesh::node_uuid>& draining) const {
  const auto own = std::ranges::find(servers, primary.where, &job::place::where);
  const auto begin = own == servers.end() ? 0 : static_cast<std::size_t>(own - servers.begin()) + 1;
  const job::place* best = nullptr;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const auto& server = servers[(begin + i) % servers.size()];
    const auto& node = server.where.node;
    if (node == primary.where.node || draining.contains(node)) continue;
    if (!best || replicas_at(server) < replicas_at(*best)) best = &server;
  }
  return best ? std::optional(*best) : std::nullopt;
}

std::size_t layout_keeper::replicas_at(const job::place& server) const {
  std::size_t count = 0;
  for (const auto& replicas : layout_.shards) {
    if (replicas.primary.where == server.where) ++count;
    if (replicas.backup && replicas.backup->where == server.where) ++count;
  }
  return count;
}

std::uint32_t layout_keeper::replicas_on(const std::set<mesh::node_uuid>& nodes) const {
  std::uint32_t count = 0;
  for (const auto& replicas : layout_.shards) {
    if (nodes.contains(replicas.primary.where.node)) ++count;
    if (replicas.backup && nodes.contains(replicas.backup->where.node)) ++count;
  }
  return count;
}

job::shard_replicas* layout_keeper::find(std::uint32_t shard, std::uint64_t pairing,
                                         const mesh::address& primary) {
  if (shard >= layout_.size()) return nullptr;
  auto& replicas = layout_.shards[shard];
  const bool same =
      replicas.primary.where == primary && replicas.backup && replicas.pairing == pairing;
  return same ? &replicas : nullptr;
}

bool layout_keeper::synced(std::uint32_t shard, std::uint64_t pairing,
                           const mesh::address& primary) {
  auto* replicas = find(shard, pairing, primary);
  if (!replicas || replicas->synced) return false;
  replicas->synced = true;
  renumber();
  return true;
}

bool layout_keeper::part(std::uint32_t shard, std::uint64_t pairing, const mesh::address& primary) {
  auto* replicas = find(shard, pairing, primary);
  if (!replicas) return false;
  replicas->backup.reset();
  replicas->synced = false;
  renumber();
  return true;
}

} // namespace gradmesh::coordinator
