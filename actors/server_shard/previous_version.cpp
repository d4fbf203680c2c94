#include "actors/server_shard/previous_version.hpp"

#include <algorithm>

namespace gradmesh::server_shard {

void previous_version::begin(std::uint64_t clock) {
  forget();
  clock_ = clock;
}

result<void> previous_version::keep(std::span<const std::uint64_t> keys,
                                    const parameters::parameter_store& store) {
  const auto rows = store.resolve(keys);
  if (!rows) return rows.failure();
  keys_.assign(keys.begin(), keys.end());
  rows_.resize(store.row_floats(keys.size()));
  return store.read_sparse(*rows, rows_);
}

void previous_version::keep(std::vector<std::uint64_t> keys, std::vector<float> rows) {
  keys_ = std::move(keys);
  rows_ = std::move(rows);
}

const parameters::shared_floats* previous_version::block(std::uint32_t block) const {
  const auto found = blocks_.find(block);
  return found == blocks_.end() ? nullptr : &found->second;
}

void previous_version::restore(std::span<const std::uint64_t> keys, std::span<float> rows,
                               const std::vector<std::size_t>& widths) const {
  auto kept = keys_.begin();
  for (std::size_t i = 0; i < keys.size() && kept != keys_.end(); ++i) {
    kept = std::lower_bound(kept, keys_.end(), keys[i]);
    if (kept == keys_.end() || *kept != keys[i]) continue;
    const auto from = static_cast<std::size_t>(kept - keys_.begin());
    std::size_t of_kept = 0;
    std::size_t of_asked = 0;
    for (const auto width : widths) {
      std::copy_n(rows_.begin() + static_cast<std::ptrdiff_t>(of_kept + from * width), width,
                  rows.begin() + static_cast<std::ptrdiff_t>(of_asked + i * width));
      of_kept += keys_.size() * width;
      of_asked += keys.size() * width;
    }
  }
}

} // namespace gradmesh::server_shard
