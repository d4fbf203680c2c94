#include "actors/learning/device_parameters.hpp"

#include <algorithm>

namespace gradmesh::learning {

dense_version device_parameters::clip(const dense_version& v) const {
  return {std::max(v.first, first_), std::min<std::uint64_t>(v.last, first_ + size_), v.version};
}

gpu::device_span<const float> device_parameters::upload(std::span<const float> dense,
                                                        std::span<const dense_version> versions) {
  if (backend_->shares_host_memory()) return {dense.data() + first_, size_};
  auto at = first_;
  run pending;
  const auto begin = std::ranges::upper_bound(versions, first_, {}, &dense_version::last);
  for (auto v = begin; v != versions.end() && v->first < first_ + size_; ++v) {
    const auto here = clip(*v);
    add(pending, at, here.first, dense);
    if (!note(here, false)) add(pending, here.first, here.last, dense);
    at = here.last;
  }
  add(pending, at, first_ + size_, dense);
  copy(pending, dense);
  return memory_.scratch(size_);
}

void device_parameters::upload_ahead(std::span<const float> dense,
                                     std::span<const dense_version> versions) {
  if (backend_->shares_host_memory()) return;
  run pending;
  for (const auto& v : versions) {
    const auto here = clip(v);
    if (here.first >= here.last || here.version == 0 || note(here, true)) continue;
    add(pending, here.first, here.last, dense);
  }
  copy(pending, dense);
}

bool device_parameters::note(const dense_version& v, bool ahead) {
  const auto found = blocks_.find(v.first);
  if (found != blocks_.end() && found->second.last == v.last) {
    auto& known = found->second;
    const bool same = v.version != 0 && known.version == v.version;
    if (same && !ahead && !known.came_ahead)
      backend_->note_spared((v.last - v.first) * sizeof(float));
    known.came_ahead = ahead && (!same || known.came_ahead);
    known.version = v.version;
    return same;
  }
  // Cut in another way than before: nothing is known of what lies across.
  auto from = blocks_.lower_bound(v.first);
  if (from != blocks_.begin() && std::prev(from)->second.last > v.first) --from;
  blocks_.erase(from, blocks_.lower_bound(v.last));
  blocks_[v.first] = {v.last, v.version, ahead};
  return false;
}

void device_parameters::add(run& to, std::uint64_t first, std::uint64_t last,
                            std::span<const float> dense) {
  if (first >= last) return;
  if (to.last != first) {
    copy(to, dense);
    to.first = first;
  }
  to.last = last;
}

void device_parameters::copy(const run& what, std::span<const float> dense) {
  const auto device = memory_.scratch(size_);
  if (what.first >= what.last || device.size < size_) return;
  backend_->copy_to_device(device.data + (what.first - first_), dense.data() + what.first,
                           (what.last - what.first) * sizeof(float));
}

} // namespace gradmesh::learning
