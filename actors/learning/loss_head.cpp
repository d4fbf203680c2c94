#include "actors/learning/loss_head.hpp"

#include <iterator>

namespace gradmesh::learning {

void loss_head::enqueue(std::span<const std::int32_t> labels, float scale,
                        gpu::device_matrix<float> logits) {
  if (spare_.empty()) spare_.emplace_back(backend_);
  under_way_.splice(under_way_.end(), spare_, spare_.begin());
  auto& next = under_way_.back();
  next.examples = labels.size();
  const auto host = next.host.room(1);
  backend_.softmax_cross_entropy(next.labels.upload(labels), scale, logits,
                                 next.metrics.output(host));
  next.metrics.download(host);
}

step_metrics loss_head::take() {
  auto& oldest = under_way_.front();
  const auto host = oldest.host.room(1);
  step_metrics metrics;
  if (!host.empty()) metrics = {host[0].loss_sum, host[0].correct, oldest.examples};
  spare_.splice(spare_.end(), under_way_, under_way_.begin());
  return metrics;
}

void loss_head::drop() {
  spare_.splice(spare_.end(), under_way_, std::prev(under_way_.end()));
}

} // namespace gradmesh::learning
