#include "actors/learning/loss_head.hpp"

namespace gradmesh::learning {

loss_head::loss_head(gpu::backend& backend)
    : backend_(backend), labels_(backend), metrics_(backend) {}

void loss_head::enqueue(std::span<const std::int32_t> labels, float scale,
                        gpu::device_matrix<float> logits) {
  examples_ = labels.size();
  backend_.softmax_cross_entropy(labels_.upload(labels), scale, logits,
                                 metrics_.output({&host_metrics_, 1}));
  metrics_.download({&host_metrics_, 1});
}

result<step_metrics> loss_head::wait() {
  if (const auto& fault = backend_.wait()) return error{errc::io_failed, fault.text};
  return step_metrics{host_metrics_.loss_sum, host_metrics_.correct, examples_};
}

} // namespace gradmesh::learning
