#include "actors/parameters/key_index.hpp"

#include <algorithm>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gradmesh::parameters {

namespace {

constexpr std::size_t first_buckets = 16;
/// Searches whose buckets are on their way from memory. Measured: 64 is a tenth faster
/// than 16, and 128 is no better.
constexpr std::size_t searches_ahead = 64;

/// 7 of 10 places: one key in 15 lies in a later bucket than its own.
bool is_crowded(std::size_t keys, std::size_t buckets) {
  return keys * 2 > buckets * 7;
}

} // namespace

key_index::key_index(hash_range hashes, instruction_set set) : hashes_(hashes), set_(set) {
  set_count(first_buckets);
}

void key_index::set_count(std::size_t count) {
  count_ = count;
  // floor(2^64 count / width), by which the last hash still falls into the last bucket.
  const auto width = static_cast<unsigned __int128>(hashes_.last - hashes_.first) + 1;
  const auto whole = static_cast<unsigned __int128>(count) << 64;
  scale_ = static_cast<std::uint64_t>(whole / width);
  memory_ = zeroed_memory(count * sizeof(bucket));
}

std::uint32_t key_index::find_from(std::size_t at, std::uint64_t hash) const {
  for (;; at = next(at)) {
    const auto& here = buckets()[at];
    for (std::size_t i = 0; i < bucket_keys; ++i)
      if (here.hashes[i] == hash) return here.rows[i];
    if (here.rows[bucket_keys - 1] == no_row) return no_row;
  }
}

void key_index::find(std::span<const std::uint64_t> hashes, std::uint32_t* rows) const {
#if defined(__x86_64__)
  if (set_ == instruction_set::avx512) return find_avx512(hashes, rows);
#endif
  find_portable(hashes, rows);
}

void key_index::find_portable(std::span<const std::uint64_t> hashes, std::uint32_t* rows) const {
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (i + searches_ahead < hashes.size()) prefetch(hashes[i + searches_ahead]);
    const auto at = home(hashes[i]);
    const auto& here = buckets()[at];
    // No jumps, for their direction is random.
    std::uint32_t row = no_row;
    for (std::size_t place = 0; place < bucket_keys; ++place)
      row |= here.rows[place] & -static_cast<std::uint32_t>(here.hashes[place] == hashes[i]);
    rows[i] = row == no_row && here.rows[bucket_keys - 1] != no_row ? find_from(next(at), hashes[i])
                                                                    : row;
  }
}

#if defined(__x86_64__)
void key_index::find_avx512(std::span<const std::uint64_t> hashes, std::uint32_t* rows) const {
  constexpr __mmask8 places = (1U << bucket_keys) - 1;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (i + searches_ahead < hashes.size()) prefetch(hashes[i + searches_ahead]);
    const auto at = home(hashes[i]);
    const auto& here = buckets()[at];
    const auto found = _mm512_mask_cmpeq_epi64_mask(
        places, _mm512_load_si512(&here), _mm512_set1_epi64(static_cast<long long>(hashes[i])));
    const auto row = found == 0 ? no_row : here.rows[__builtin_ctz(found)];
    rows[i] = row == no_row && here.rows[bucket_keys - 1] != no_row ? find_from(next(at), hashes[i])
                                                                    : row;
  }
}
#endif

std::uint32_t key_index::find_or_insert(std::uint64_t hash) {
  if (is_crowded(size_ + 1, count_)) grow();
  const auto next_row = static_cast<std::uint32_t>(size_ + 1);
  const auto row = find_or_place(hash, next_row);
  if (row == next_row) ++size_;
  return row;
}

std::uint32_t key_index::find_or_place(std::uint64_t hash, std::uint32_t row) {
  for (auto at = home(hash);; at = next(at)) {
    auto& here = buckets()[at];
    for (std::size_t i = 0; i < bucket_keys; ++i) {
      if (here.rows[i] == no_row) {
        here.hashes[i] = hash;
        here.rows[i] = row;
        return row;
      }
      if (here.hashes[i] == hash) return here.rows[i];
    }
  }
}

void key_index::grow() {
  const auto old_memory = std::move(memory_);
  const auto* const old = old_memory.as<bucket>();
  const auto old_count = count_;
  set_count(count_ + count_ / 2);
  for (std::size_t b = 0; b < old_count; ++b)
    for (std::size_t i = 0; i < bucket_keys && old[b].rows[i] != no_row; ++i)
      (void)find_or_place(old[b].hashes[i], old[b].rows[i]);
}

std::vector<key_index::entry> key_index::entries(hash_range hashes) const {
  std::vector<entry> found;
  auto at = home(hashes.first);
  // A run that began before the last home bucket may go on behind it, up to one that is not full.
  for (std::size_t passed = 0; passed < count_; ++passed, at = next(at)) {
    const auto& here = buckets()[at];
    for (std::size_t i = 0; i < bucket_keys && here.rows[i] != no_row; ++i)
      if (here.hashes[i] >= hashes.first && here.hashes[i] <= hashes.last)
        found.push_back({here.hashes[i], here.rows[i]});
    const bool beyond = passed >= home(hashes.last) - home(hashes.first);
    if (beyond && here.rows[bucket_keys - 1] == no_row) break;
  }
  return found;
}

} // namespace gradmesh::parameters
