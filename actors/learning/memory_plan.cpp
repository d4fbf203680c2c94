#include "actors/learning/memory_plan.hpp"

#include "gpu/memory_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gradmesh::learning {
namespace {

/// Two blocks that layers take turns in.
class turns {
public:
  void add(std::size_t layer, std::uint64_t floats) {
    largest_[layer % 2] = std::max(largest_[layer % 2], floats);
  }
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto floats : largest_)
      sum += floats == 0 ? 0 : block_of(floats);
    return sum;
  }

private:
  std::array<std::uint64_t, 2> largest_{};
};

/// What each step on the device has for itself: the batch, parameters, gradients.
std::uint64_t bytes_a_step(const layer_sizes& layers, std::size_t examples) {
  auto bytes = block_of(examples * layers.front().first) + block_of(examples) + block_of(1);
  for (const auto& [inputs, outputs] : layers)
    bytes += 2 * block_of((inputs + 1) * outputs);
  return bytes;
}

/// What comes back through the layers, an evaluation's activations, and the logits.
std::uint64_t bytes_of_turns(const layer_sizes& layers, std::size_t examples) {
  turns between;
  for (std::size_t k = 1; k < layers.size(); ++k)
    between.add(k, examples * layers[k].first);
  return between.bytes() + block_of(examples * layers.back().second);
}

memory_plan with_paged(const layer_sizes& layers, std::size_t examples, std::size_t paged,
                       memory_plan plan) {
  turns windows;
  plan.paged = paged;
  for (std::size_t k = 0; k + 1 < layers.size(); ++k) {
    const auto floats = examples * layers[k].second;
    if (k >= paged)
      plan.device_bytes += block_of(floats);
    else
      windows.add(k, floats);
    if (k + 2 < paged) plan.paged_bytes += block_of(floats);
  }
  plan.device_bytes += windows.bytes();
  return plan;
}

} // namespace

std::uint64_t block_of(std::uint64_t floats) {
  return gpu::memory_pool::block_bytes(floats * sizeof(float));
}

memory_plan plan_memory(const layer_sizes& layers, const batch_sizes& examples,
                        std::uint64_t scratch, std::uint64_t bytes_max) {
  const auto shared = bytes_of_turns(layers, examples.largest) + scratch;
  const auto own = bytes_a_step(layers, examples.largest);
  auto least = with_paged(layers, examples.training, 0, {2, 0, shared + 2 * own, 0});
  if (least.device_bytes <= bytes_max) return least;
  // Two layers would only swap their memory for the two windows.
  for (std::size_t paged = 0; paged < layers.size(); paged += paged == 0 ? 3 : 1) {
    const auto plan = with_paged(layers, examples.training, paged, {1, 0, shared + own, 0});
    if (plan.device_bytes < least.device_bytes) least = plan;
    if (least.device_bytes <= bytes_max) break;
  }
  return least;
}

std::string memory_plan::text() const {
  auto text = fmt::format("{} MiB, {}", device_bytes >> 20,
                          steps_at_once == 1 ? "one step at a time" : "two steps at once");
  if (paged > 2)
    text += fmt::format(", with the activations of layers 0 to {} paged to the host ({} MiB)",
                        paged - 3, paged_bytes >> 20);
  return text;
}

} // namespace gradmesh::learning
