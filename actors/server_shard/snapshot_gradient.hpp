#pragma once

/// What a shard keeps for SVRG (Johnson, Zhang: "Accelerating stochastic gradient descent using
/// predictive variance reduction", NIPS 2013): mu, the gradient of the whole training set at the
/// latest snapshot, for the dense blocks of the shard. In a snapshot's epoch the sums of the steps
/// add up to mu, and the parameters stay as they are; in the epochs until the next one mu is added
/// to each step's sum, once, whatever the number of workers. Workers do the rest
/// (worker/compute.hpp).
///
/// Bsp is what makes it right: nobody reads for a step before mu is whole, and all workers' parts
/// are in every sum.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::server_shard {

class snapshot_gradient {
public:
  /// `blocks`: of the shard.
  snapshot_gradient(std::uint64_t steps_per_epoch, std::size_t blocks)
      : steps_per_epoch_(steps_per_epoch), mean_(blocks) {}

  /// Adds the sum of a block of a step that takes a snapshot; an epoch's first step begins anew.
  void add(std::uint64_t step, std::size_t block, std::span<const float> sum);
  /// The sum of a block of another step with mu added; valid until the next call.
  std::span<const float> corrected(std::size_t block, std::span<const float> sum);

  /// mu by block.
  const std::vector<std::vector<float>>& mean() const { return mean_; }
  void restore(std::vector<std::vector<float>> mean) { mean_ = std::move(mean); }

private:
  const std::uint64_t steps_per_epoch_;
  std::vector<std::vector<float>> mean_; // by block
  std::vector<float> corrected_;
};

} // namespace gradmesh::server_shard
