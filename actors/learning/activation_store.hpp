#pragma once

/// Where the outputs of hidden layers stay between the forward and the backward pass of a step.
/// Each has memory of its own on the backend, but for the first `paged` ones where they do not fit
/// (GeePS: Cui et al., EuroSys 2016): these take turns in two windows, so that one leaves for
/// pinned host memory while the next is computed, and comes back while the layer above it is. The
/// last two stay in the windows. Bits do not depend on it.
///
/// Failure: out of memory is a fault of the backend. Used by one thread.

#include "gpu/buffer.hpp"
#include "gpu/host_buffer.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

namespace gradmesh::learning {

class activation_store {
public:
  activation_store(gpu::backend& backend, std::size_t layers);

  /// The first so many layers leave, from the next step on.
  void page(std::size_t layers) { paged_ = layers; }

  /// For the output of the next layer of a forward pass.
  gpu::device_matrix<float> room(std::size_t layer, std::size_t rows, std::size_t columns);
  /// The output is there, and the layer's turn in a backward pass will come.
  void keep(std::size_t layer);
  /// For a backward pass, from the last layer to the first: the output, and before it is used, that
  /// the one below it may come back beside what is computed next.
  gpu::device_matrix<const float> back(std::size_t layer);
  void bring(std::size_t layer) { (void)back(layer); }

private:
  struct layer_memory {
    gpu::buffer<float> own;
    gpu::host_buffer<float> host;
    std::size_t rows = 0;
    std::size_t columns = 0;
  };
  struct window {
    gpu::buffer<float> memory;
    std::optional<std::size_t> holds{}; // which layer's output
  };

  gpu::backend& backend_;
  std::vector<layer_memory> layers_;
  std::array<window, 2> windows_;
  std::size_t paged_ = 0;
};

} // namespace gradmesh::learning
