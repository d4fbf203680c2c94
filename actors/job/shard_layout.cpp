#include "actors/job/shard_layout.hpp"

#include <algorithm>

namespace gradmesh::job {
namespace {

constexpr auto kind = mesh::service_kind::server_shard;

schema::BackupState state_of(const shard_replicas& replicas) {
  if (!replicas.backup) return schema::BackupState::NONE;
  return replicas.synced ? schema::BackupState::SYNCED : schema::BackupState::SYNCING;
}

} // namespace

std::vector<place> shard_layout::primaries() const {
  std::vector<place> places;
  for (const auto& replicas : shards)
    places.push_back(replicas.primary);
  return places;
}

std::vector<place> shard_layout::hosts() const {
  std::vector<place> places;
  const auto add = [&](const place& p) {
    if (std::ranges::find(places, p) == places.end()) places.push_back(p);
  };
  for (const auto& replicas : shards) {
    add(replicas.primary);
    if (replicas.backup) add(*replicas.backup);
  }
  return places;
}

shard_layout unreplicated(std::vector<place> primaries) {
  shard_layout layout;
  for (auto& primary : primaries)
    layout.shards.push_back({std::move(primary), std::nullopt, false, 0});
  return layout;
}

void encode(const shard_layout& layout, std::uint64_t job_id, schema::Layout::Builder out) {
  out.setJobId(job_id);
  out.setNumber(layout.number);
  auto shards = out.initShards(static_cast<unsigned>(layout.shards.size()));
  for (unsigned i = 0; i < shards.size(); ++i) {
    const auto& replicas = layout.shards[i];
    encode(replicas.primary, shards[i].initPrimary());
    shards[i].setBackupState(state_of(replicas));
    if (!replicas.backup) continue;
    encode(*replicas.backup, shards[i].initBackup());
    shards[i].setPairing(replicas.pairing);
  }
}

result<shard_layout> decode(schema::Layout::Reader in) {
  shard_layout layout{in.getNumber(), {}};
  if (layout.number == 0) return error{errc::malformed_message, "a layout has the number 0"};
  for (const auto entry : in.getShards()) {
    const auto name = "shard " + std::to_string(layout.shards.size()) + " of a layout";
    auto primary = decode(entry.getPrimary(), kind, "the primary of " + name);
    if (!primary) return primary.failure();
    shard_replicas replicas{std::move(*primary), std::nullopt,
                            entry.getBackupState() == schema::BackupState::SYNCED,
                            entry.getPairing()};
    if (entry.getBackupState() != schema::BackupState::NONE) {
      auto backup = decode(entry.getBackup(), kind, "the backup of " + name);
      if (!backup) return backup.failure();
      if (backup->where.node == replicas.primary.where.node)
        return error{errc::malformed_message, name + " has its backup on the node of its primary"};
      if (replicas.pairing == 0 || replicas.pairing > layout.number)
        return error{errc::malformed_message,
                     name + " has a backup since layout " + std::to_string(replicas.pairing) +
                         " in layout " + std::to_string(layout.number)};
      replicas.backup = std::move(*backup);
    }
    layout.shards.push_back(std::move(replicas));
  }
  if (layout.shards.empty()) return error{errc::malformed_message, "a layout has no shards"};
  return layout;
}

} // namespace gradmesh::job
