#pragma once

/// The end of every classifier: cross-entropy of softmax, its gradient, and the metrics brought
/// back from the backend. Several batches may be on their way; each has memory of its own.
///
/// Failure: only those of the backend.

#include "actors/learning/model.hpp"
#include "gpu/buffer.hpp"
#include "gpu/host_buffer.hpp"

#include <cstdint>
#include <list>
#include <span>

namespace gradmesh::learning {

class loss_head {
public:
  explicit loss_head(gpu::backend& backend) : backend_(backend) {}

  /// Enqueues: logits (examples x classes) become `scale` times the gradient of the loss by them.
  void enqueue(std::span<const std::int32_t> labels, float scale, gpu::device_matrix<float> logits);

  /// The metrics of the oldest batch, which the backend is done with.
  step_metrics take();
  /// Forgets the newest.
  void drop();

private:
  struct batch {
    explicit batch(gpu::backend& backend) : labels(backend), metrics(backend), host(backend) {}

    gpu::buffer<std::int32_t> labels;
    gpu::buffer<gpu::batch_metrics> metrics;
    gpu::host_buffer<gpu::batch_metrics> host;
    std::uint64_t examples = 0;
  };

  gpu::backend& backend_;
  std::list<batch> under_way_; // oldest first
  std::list<batch> spare_;
};

} // namespace gradmesh::learning
