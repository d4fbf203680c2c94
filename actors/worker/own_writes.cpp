#include "actors/worker/own_writes.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace gradmesh::worker {

std::uint64_t first_own_missing(const step_work& work) {
  auto first = work.step;
  for (const auto& parts : work.own_missing)
    for (const auto missing : parts)
      first = std::min(first, missing);
  return first;
}

result<void> own_writes::add_to(step_work& work) {
  for (const auto& own : std::exchange(work.own_writes, {})) {
    rate_ = rate_of_(own->step);
    for (std::size_t shard = 0; shard < work.slices.size(); ++shard)
      if (auto added = add(*own, shard, work); !added) return added;
  }
  return {};
}

result<void> own_writes::add(const step_work& own, std::size_t shard, step_work& work) {
  const auto& to = work.slices[shard];
  auto& steps = work.own_steps[shard];
  lacking_.resize(to.parts.size());
  for (std::size_t p = 0; p < lacking_.size(); ++p)
    lacking_[p] = own.step >= work.own_missing[shard][p];
  if (std::ranges::find(lacking_, 1) == lacking_.end()) return {};
  const auto& of = own.slices[shard];
  for (std::size_t p = 0; p < of.parts.size(); ++p) {
    const auto& part = of.parts[p];
    // Blocks are the same in every step, and stand first.
    if (part.dense && lacking_[p] == 0) continue;
    const auto values = values_of(own, shard, p);
    if (!values) return values.failure();
    if (part.dense)
      add_block(to, part, *values, work);
    else
      add_rows(own, shard, part, *values, work);
  }
  for (std::size_t p = 0; p < lacking_.size(); ++p)
    steps[p] += lacking_[p];
  return {};
}

void own_writes::add_block(const parameters::slice& of, const parameters::part& part,
                           std::span<const float> values, step_work& work) const {
  float* const w = work.dense.data() + of.dense_first + part.elements.first;
  for (std::size_t i = 0; i < values.size(); ++i)
    w[i] -= rate_ * values[i];
}

void own_writes::add_rows(const step_work& own, std::size_t shard, const parameters::part& run,
                          std::span<const float> values, step_work& work) {
  const auto& widths = slicer_.layout().row_widths();
  const auto& to = work.slices[shard];
  const auto keys =
      std::span(own.slices[shard].keys).subspan(run.elements.first, run.elements.size());
  // Both lists of keys ascend.
  auto key = keys.begin();
  for (std::size_t p = 0; p < to.parts.size(); ++p) {
    const auto& part = to.parts[p];
    if (part.dense || lacking_[p] == 0) continue;
    for (auto i = part.elements.first; i < part.elements.last; ++i) {
      key = std::lower_bound(key, keys.end(), to.keys[i]);
      if (key == keys.end()) return;
      if (*key != to.keys[i]) continue;
      const auto row = static_cast<std::size_t>(key - keys.begin());
      std::size_t table_at = 0;
      for (std::size_t t = 0; t < widths.size(); ++t) {
        const float* const g = values.data() + table_at + row * widths[t];
        float* const w = work.rows[t].data() + to.positions[i] * widths[t];
        for (std::size_t c = 0; c < widths[t]; ++c)
          w[c] -= rate_ * g[c];
        table_at += keys.size() * widths[t];
      }
    }
  }
}

result<std::span<const float>> own_writes::values_of(const step_work& own, std::size_t shard,
                                                     std::size_t part) {
  const auto& of = own.slices[shard].parts[part];
  const auto& body = own.pushes[shard][part];
  const auto key_bytes = of.dense ? 0 : of.elements.size() * sizeof(std::uint64_t);
  const auto floats = parameters::part_floats(of, slicer_.layout().floats_per_key());
  if (format_ == parameters::transfer_format::float32)
    return std::span<const float>(body.as<float>(key_bytes, floats));
  decoded_.resize(floats);
  const auto encoded = std::span<const std::byte>(body.bytes)
                           .subspan(key_bytes, parameters::encoded_bytes(format_, floats));
  if (auto decoded = parameters::decode(format_, encoded, decoded_); !decoded)
    return decoded.failure();
  return std::span<const float>(decoded_);
}

} // namespace gradmesh::worker
