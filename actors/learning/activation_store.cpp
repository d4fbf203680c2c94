#include "actors/learning/activation_store.hpp"

namespace gradmesh::learning {

activation_store::activation_store(gpu::backend& backend, std::size_t layers)
    : backend_(backend), windows_{window{gpu::buffer<float>(backend)},
                                  window{gpu::buffer<float>(backend)}} {
  layers_.reserve(layers);
  for (std::size_t i = 0; i < layers; ++i)
    layers_.push_back({gpu::buffer<float>(backend), gpu::host_buffer<float>(backend)});
}

gpu::device_matrix<float> activation_store::room(std::size_t layer, std::size_t rows,
                                                 std::size_t columns) {
  auto& of = layers_[layer];
  of.rows = rows;
  of.columns = columns;
  if (layer >= paged_) return gpu::as_matrix(of.own.scratch(rows * columns), rows, columns);
  auto& in = windows_[layer % 2];
  in.holds = layer;
  return gpu::as_matrix(in.memory.scratch(rows * columns), rows, columns);
}

void activation_store::keep(std::size_t layer) {
  if (layer + 2 >= paged_) return; // nobody takes its place
  auto& of = layers_[layer];
  const auto host = of.host.room(of.rows * of.columns);
  if (host.empty()) return;
  backend_.copy_to_host(host.data(), windows_[layer % 2].memory.scratch(host.size()).data,
                        host.size_bytes());
}

gpu::device_matrix<const float> activation_store::back(std::size_t layer) {
  auto& of = layers_[layer];
  const auto floats = of.rows * of.columns;
  if (layer >= paged_) return gpu::as_matrix(of.own.scratch(floats), of.rows, of.columns);
  auto& in = windows_[layer % 2];
  const auto memory = in.memory.scratch(floats);
  const auto host = of.host.room(in.holds == layer ? 0 : floats);
  if (in.holds != layer && !host.empty())
    backend_.copy_to_device(memory.data, host.data(), host.size_bytes());
  in.holds = layer;
  return gpu::as_matrix(memory, of.rows, of.columns);
}

} // namespace gradmesh::learning
