#pragma once

/// Where the copies of a job's shards are. The coordinator alone makes layouts; each has a number,
/// which everything that reads or changes a shard carries. The wire form is schema::Layout.

#include "actors/job/place.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace gradmesh::job {

struct shard_replicas {
  place primary;
  std::optional<place> backup;
  /// Whether the backup has whatever the primary acknowledges, so that it may take its place.
  bool synced = false;
  /// Number of the layout that made these two a pair.
  std::uint64_t pairing = 0;

  bool operator==(const shard_replicas&) const = default;
};

struct shard_layout {
  std::uint64_t number = 1;
  std::vector<shard_replicas> shards; // as many for the whole life of the job

  std::size_t size() const { return shards.size(); }
  const place& primary(std::size_t shard) const { return shards[shard].primary; }
  /// The primaries, in order of their shards.
  std::vector<place> primaries() const;
  /// Every service that has a replica, once.
  std::vector<place> hosts() const;

  bool operator==(const shard_layout&) const = default;
};

/// Of shards that are nowhere else.
shard_layout unreplicated(std::vector<place> primaries);

void encode(const shard_layout& layout, std::uint64_t job_id, schema::Layout::Builder out);

/// Errors: `malformed_message` with what makes no sense: no shards, a number of 0, another service
/// than a server shard, a backup beside its primary.
result<shard_layout> decode(schema::Layout::Reader in);

} // namespace gradmesh::job
