#pragma once

/// How a step gets along with a device's memory. Follows from the shapes and the limit alone, so it
/// is known before a job begins.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gradmesh::learning {

/// Examples of a batch: of a training step, and the most there are, which may be an evaluation's.
struct batch_sizes {
  std::size_t training = 0;
  std::size_t largest = 0;
};

struct memory_plan {
  /// Steps on the device at once: 2, so that the copies of one run beside the products of the
  /// other, or 1.
  std::size_t steps_at_once = 1;
  /// The outputs of the first so many layers are paged to the host (activation_store.hpp).
  std::size_t paged = 0;
  std::uint64_t device_bytes = 0;
  std::uint64_t paged_bytes = 0; // of the host

  /// "26 MiB, one step at a time, with the activations of layers 0 to 5 paged to the host (16 MiB)"
  std::string text() const;
};

/// A perceptron's layers as (inputs, outputs), the last one's outputs the classes.
using layer_sizes = std::vector<std::pair<std::size_t, std::size_t>>;

/// The most that fits in `bytes_max`: two steps; one; one with as few layers paged as will do.
/// Where none does, the one that takes least. `scratch`: what the backend's operations take for
/// themselves. Sizes are those of a pool's blocks (gpu/memory_pool.hpp).
memory_plan plan_memory(const layer_sizes& layers, const batch_sizes& examples,
                        std::uint64_t scratch, std::uint64_t bytes_max);

/// One block's bytes of so many floats.
std::uint64_t block_of(std::uint64_t floats);

} // namespace gradmesh::learning
