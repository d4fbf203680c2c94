#include "actors/parameters/slicer.hpp"

#include <cassert>
#include <cstring>
#include <utility>

namespace gradmesh::parameters {

namespace {

void copy_floats(float* to, const float* from, std::size_t count) {
  if (count != 0) std::memcpy(to, from, count * sizeof(float));
}

std::span<const std::uint32_t> positions(const slice& of, const part& p) {
  return std::span(of.positions).subspan(p.elements.first, p.elements.size());
}

} // namespace

slicer::slicer(std::span<const learning::table_spec> tables, partition_map map)
    : layout_(tables), map_(std::move(map)) {}

std::vector<slice> slicer::cut(std::span<const std::uint64_t> keys) const {
  std::vector<slice> slices(map_.shards());
  // Keys are spread evenly; a sixteenth more makes a second allocation unlikely.
  const auto expected = keys.size() / slices.size();
  for (std::uint32_t shard = 0; shard < map_.shards(); ++shard) {
    const auto dense = map_.dense_of_shard(shard);
    slices[shard].dense_first = dense.first;
    slices[shard].dense_last = dense.last;
    slices[shard].keys.reserve(expected + expected / 16);
    slices[shard].positions.reserve(expected + expected / 16);
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto& owned = slices[map_.owner_of_key(keys[i])];
    owned.keys.push_back(keys[i]);
    owned.positions.push_back(static_cast<std::uint32_t>(i));
  }
  for (auto& s : slices) {
    s.parts = parts_of(s.dense_last - s.dense_first, s.keys.size(), layout_.floats_per_key());
    for (auto& p : s.parts)
      if (!p.dense)
        p.keys = name_of(std::span(s.keys).subspan(p.elements.first, p.elements.size()));
  }
  return slices;
}

void slicer::scatter(const slice& of, const part& p, std::span<const float> values,
                     const learning::gradient_view& parameters) const {
  assert(values.size() == part_floats(p, layout_.floats_per_key()));
  if (p.dense)
    return copy_floats(parameters.dense.data() + of.dense_first + p.elements.first, values.data(),
                       values.size());
  const float* from = values.data();
  for (std::size_t t = 0; t < layout_.row_widths().size(); ++t) {
    const auto width = layout_.row_widths()[t];
    for (const auto position : positions(of, p)) {
      copy_floats(parameters.sparse[t].data() + position * width, from, width);
      from += width;
    }
  }
}

void slicer::gather(const slice& of, const part& p, const learning::parameter_view& gradients,
                    std::span<float> values) const {
  assert(values.size() == part_floats(p, layout_.floats_per_key()));
  if (p.dense)
    return copy_floats(values.data(), gradients.dense.data() + of.dense_first + p.elements.first,
                       values.size());
  float* to = values.data();
  for (std::size_t t = 0; t < layout_.row_widths().size(); ++t) {
    const auto width = layout_.row_widths()[t];
    for (const auto position : positions(of, p)) {
      copy_floats(to, gradients.sparse[t].data() + position * width, width);
      to += width;
    }
  }
}

} // namespace gradmesh::parameters
