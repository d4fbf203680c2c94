#pragma once

/// What a shard keeps for SVRG (Johnson, Zhang: "Accelerating stochastic gradient descent using
/// predictive variance reduction", NIPS 2013), for the dense blocks of the shard: the snapshot,
/// which is the parameters as they were, and mu, the gradient of the whole training set there. In a
/// snapshot's epoch the sums of the steps add up to mu, and the parameters stay as they are; in the
/// epochs until the next one mu is added to each step's sum, once, whatever the number of workers.
/// Workers do the rest (worker/compute.hpp); one that comes in such an epoch asks for the snapshot.
///
/// Bsp is what makes it right: nobody reads for a step before mu is whole, and all workers' parts
/// are in every sum.

#include "actors/parameters/dense_blocks.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::server_shard {

/// Of a block; empty before the first snapshot.
struct block_snapshot {
  parameters::shared_floats values;
  std::vector<float> mean; // mu
};

class snapshot_gradient {
public:
  /// `blocks`: of the shard.
  snapshot_gradient(std::uint64_t steps_per_epoch, std::size_t blocks)
      : steps_per_epoch_(steps_per_epoch), blocks_(blocks) {}

  /// Adds the sum of a block, which has these values, of a step that takes a snapshot; an epoch's
  /// first step begins anew.
  void add(std::uint64_t step, std::size_t block, std::span<const float> sum,
           parameters::shared_floats values);
  /// The sum of a block of another step with mu added; valid until the next call.
  std::span<const float> corrected(std::size_t block, std::span<const float> sum);

  const std::vector<block_snapshot>& blocks() const { return blocks_; }
  void restore(std::vector<block_snapshot> blocks) { blocks_ = std::move(blocks); }

private:
  const std::uint64_t steps_per_epoch_;
  std::vector<block_snapshot> blocks_;
  std::vector<float> corrected_;
};

} // namespace gradmesh::server_shard
