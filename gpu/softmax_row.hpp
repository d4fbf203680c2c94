#pragma once

/// Softmax and cross-entropy of one example, as every CPU code here computes it.

#include "gpu/backend.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace gradmesh::gpu {

/// One row of `backend::softmax_cross_entropy`: adds to `metrics`, and z becomes `scale` times the
/// gradient of the loss by z. The largest logit is subtracted first, so exp never overflows; a NaN
/// or +infinity among the logits makes the loss NaN.
inline void softmax_row(std::int32_t label, float scale, float* z, std::size_t columns,
                        batch_metrics& metrics) {
  const float* best = std::max_element(z, z + columns);
  const float largest = *best;
  const float label_logit = z[label] - largest;
  metrics.correct += best - z == label;

  float sum = 0;
  for (std::size_t j = 0; j < columns; ++j) {
    z[j] = std::exp(z[j] - largest);
    sum += z[j];
  }
  metrics.loss_sum += std::log(static_cast<double>(sum)) - static_cast<double>(label_logit);

  const float factor = scale / sum;
  for (std::size_t j = 0; j < columns; ++j)
    z[j] *= factor;
  z[label] -= scale;
}

} // namespace gradmesh::gpu
