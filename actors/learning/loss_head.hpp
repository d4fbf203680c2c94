#pragma once

/// The end of every classifier: cross-entropy of softmax, its gradient, and the metrics brought
/// back from the backend.
///
/// Failure: a fault of the backend becomes `errc::io_failed` with the backend's text.

#include "actors/error.hpp"
#include "actors/learning/model.hpp"
#include "gpu/buffer.hpp"

#include <cstdint>
#include <span>

namespace gradmesh::learning {

class loss_head {
public:
  explicit loss_head(gpu::backend& backend);

  /// Enqueues: logits (examples x classes) become `scale` times the gradient of the loss by them.
  void enqueue(std::span<const std::int32_t> labels, float scale, gpu::device_matrix<float> logits);

  /// Waits for all that was enqueued on the backend; the metrics of the last `enqueue`.
  result<step_metrics> wait();

private:
  gpu::backend& backend_;
  gpu::buffer<std::int32_t> labels_;
  gpu::buffer<gpu::batch_metrics> metrics_;
  gpu::batch_metrics host_metrics_;
  std::uint64_t examples_ = 0;
};

} // namespace gradmesh::learning
