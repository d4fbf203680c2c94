#include "actors/record/fingerprints.hpp"

#include <algorithm>
#include <xxhash.h>

namespace gradmesh::record {
namespace {

constexpr std::size_t sample_bytes = 256;

template <class T>
std::uint64_t hash_after(std::uint64_t before, const std::vector<T>& values) {
  return XXH3_64bits_withSeed(values.data(), values.size() * sizeof(T), before);
}

} // namespace

std::uint32_t sample_of(std::span<const std::byte> values) {
  const auto ends = std::min(values.size(), sample_bytes);
  const auto first = XXH3_64bits(values.data(), ends);
  const auto last = values.last(ends);
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(last.data(), last.size(), first));
}

std::uint64_t hash_of(const parameters::partition_content& content) {
  auto hash = hash_after(0, content.dense);
  for (const auto& table : content.sparse)
    hash = hash_after(hash_after(hash, table.keys), table.rows);
  return hash;
}

} // namespace gradmesh::record
