#pragma once

/// What a strategy tells of the changes that it makes to a shard, so that the shard's backup can be
/// made to do the same.

#include "actors/mesh/message.hpp"
#include "actors/server_shard/parameter_request.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::server_shard {

/// A part of a push that was applied as it came.
struct applied_part {
  const pushed_part* part = nullptr;
  float rate = 0;
};

/// A step of a strategy that sums, applied.
struct applied_step {
  std::uint64_t step = 0;
  std::vector<std::uint32_t> ranks; // whose pushes are in it, in the order of the sum
};

/// Used by the shard alone, like the strategy.
class update_sink {
public:
  virtual ~update_sink() = default;

  /// Parts of one message, in their order; `rank` pushed them.
  virtual void pushed(const mesh::message<schema::Push>& push, std::uint32_t rank,
                      std::span<const applied_part> parts) = 0;

  /// Of the step that is being applied: the sum of a block, whose memory stays as it is; the sum of
  /// rows, which are laid out as in a push. Counts when the step is told as applied.
  virtual void summed(std::uint32_t block, mesh::frame_body sum) = 0;
  virtual void summed(std::span<const std::uint64_t> keys, std::span<const float> rows) = 0;
  virtual void applied(const applied_step& step) = 0;
};

} // namespace gradmesh::server_shard
