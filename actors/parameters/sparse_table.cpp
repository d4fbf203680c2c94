#include "actors/parameters/sparse_table.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace gradmesh::parameters {

namespace {

constexpr std::size_t first_slots = 16;
/// 256 KiB: many rows an allocation, and little waste in a partition with few rows.
constexpr std::size_t chunk_floats = 64 * 1024;

} // namespace

sparse_table::sparse_table(std::size_t row_floats)
    : row_floats_(row_floats),
      chunk_shift_(static_cast<unsigned>(
          std::bit_width(std::max<std::size_t>(1, chunk_floats / row_floats)) - 1)),
      mask_(first_slots - 1), slots_(first_slots) {}

float* sparse_table::find(std::uint64_t key, std::uint64_t hash) const {
  for (auto at = hash & mask_; slots_[at].row != empty; at = (at + 1) & mask_)
    if (slots_[at].key == key) return row(slots_[at].row);
  return nullptr;
}

float* sparse_table::create(std::uint64_t key, std::uint64_t hash) {
  if ((size_ + 1) * 2 > slots_.size()) grow_index();
  const auto rows_in_chunk = std::size_t{1} << chunk_shift_;
  if (size_ == chunks_.size() << chunk_shift_)
    chunks_.push_back(std::make_unique_for_overwrite<float[]>(rows_in_chunk * row_floats_));
  const auto number = static_cast<std::uint32_t>(size_++);
  place(key, hash, number);
  return row(number);
}

void sparse_table::place(std::uint64_t key, std::uint64_t hash, std::uint32_t number) {
  auto at = hash & mask_;
  while (slots_[at].row != empty)
    at = (at + 1) & mask_;
  slots_[at] = {key, number};
}

void sparse_table::grow_index() {
  const auto old = std::exchange(slots_, std::vector<slot>(slots_.size() * 2));
  mask_ = slots_.size() - 1;
  for (const auto& used : old)
    if (used.row != empty) place(used.key, mix(used.key), used.row);
}

std::vector<sparse_table::entry> sparse_table::sorted_entries() const {
  std::vector<entry> entries;
  entries.reserve(size_);
  for (const auto& used : slots_)
    if (used.row != empty) entries.push_back({used.key, row(used.row)});
  std::sort(entries.begin(), entries.end(),
            [](const entry& a, const entry& b) { return a.key < b.key; });
  return entries;
}

} // namespace gradmesh::parameters
