#include "actors/store/checkpoint_chunk_index.hpp"

#include <algorithm>
#include <ranges>
#include <tuple>
#include <utility>

namespace gradmesh::store {

chunk_index::chunk_index(const checkpoint_manifest& base, std::vector<chunk_file_entry> usable)
    : files_(std::move(usable)) {
  std::ranges::sort(files_, {}, &chunk_file_entry::file);
  for (const auto& chunk : base.shards | std::views::join)
    if (std::ranges::binary_search(files_, chunk.file, {}, &chunk_file_entry::file))
      known_.push_back({chunk.checksum, chunk.bytes, {chunk.file, chunk.offset}});
  std::ranges::sort(known_, {}, [](const known& k) {
    return std::tuple(k.checksum, k.bytes, k.where.file, k.where.offset);
  });
}

const chunk_index::place* chunk_index::find(const checksum128& checksum,
                                            std::uint64_t bytes) const {
  const auto found =
      std::ranges::lower_bound(known_, std::tuple(checksum, bytes), {},
                               [](const known& k) { return std::tuple(k.checksum, k.bytes); });
  const bool same = found != known_.end() && found->checksum == checksum && found->bytes == bytes;
  return same ? &found->where : nullptr;
}

std::uint64_t chunk_index::bytes_of(const chunk_file& file) const {
  const auto found = std::ranges::lower_bound(files_, file, {}, &chunk_file_entry::file);
  return found == files_.end() ? 0 : found->bytes;
}

} // namespace gradmesh::store
