#include "actors/server_shard/snapshot_gradient.hpp"

#include <algorithm>
#include <functional>

namespace gradmesh::server_shard {

void snapshot_gradient::add(std::uint64_t step, std::size_t block, std::span<const float> sum,
                            parameters::shared_floats values) {
  auto& mean = blocks_[block].mean;
  if (step % steps_per_epoch_ == 0)
    blocks_[block] = {std::move(values), {sum.begin(), sum.end()}};
  else
    std::ranges::transform(mean, sum, mean.begin(), std::plus<>());
}

std::span<const float> snapshot_gradient::corrected(std::size_t block, std::span<const float> sum) {
  corrected_.resize(sum.size());
  std::ranges::transform(blocks_[block].mean, sum, corrected_.begin(), std::plus<>());
  return corrected_;
}

} // namespace gradmesh::server_shard
