#include "actors/server_shard/snapshot_gradient.hpp"

#include <algorithm>
#include <functional>

namespace gradmesh::server_shard {

void snapshot_gradient::add(std::uint64_t step, std::size_t block, std::span<const float> sum) {
  auto& mean = mean_[block];
  if (step % steps_per_epoch_ == 0)
    mean.assign(sum.begin(), sum.end());
  else
    std::ranges::transform(mean, sum, mean.begin(), std::plus<>());
}

std::span<const float> snapshot_gradient::corrected(std::size_t block, std::span<const float> sum) {
  corrected_.resize(sum.size());
  std::ranges::transform(mean_[block], sum, corrected_.begin(), std::plus<>());
  return corrected_;
}

} // namespace gradmesh::server_shard
