#include "actors/store/checkpoint_writer.hpp"

#include "actors/store/checkpoint_format.hpp"
#include "actors/store/checkpoint_retention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

namespace gradmesh::store {
namespace {

/// The newest checkpoint whose manifest can be read, if there is one.
std::optional<checkpoint_manifest> newest_readable(const checkpoint_store& store,
                                                   const std::vector<std::uint64_t>& numbers) {
  for (const auto number : numbers | std::views::reverse)
    if (auto found = store.manifest(number)) return *std::move(found);
  return std::nullopt;
}

/// What checkpoint `number` may refer to: the chunks of the newest, in files that are as they were
/// written and young enough.
chunk_index known_contents(const checkpoint_store& store, const std::vector<std::uint64_t>& numbers,
                           std::uint64_t number, std::uint64_t rewrite_after) {
  const auto base = newest_readable(store, numbers);
  if (!base) return {};
  const auto damages = store.check(*base, check_depth::files);
  std::vector<chunk_file_entry> usable;
  for (const auto& entry : base->files)
    if (entry.file.checkpoint + rewrite_after > number &&
        std::ranges::find(damages, path_of(entry.file), &checkpoint_damage::path) == damages.end())
      usable.push_back(entry);
  return {*base, std::move(usable)};
}

} // namespace

result<checkpoint_writer> checkpoint_writer::begin(std::shared_ptr<env::disk> disk,
                                                   std::string folder, checkpoint_options options) {
  if (auto made = disk->create_directories(folder); !made) return made.failure();
  const checkpoint_store store(disk, folder);
  const auto numbers = store.numbers();
  if (!numbers) return numbers.failure();
  remove_unfinished(store, *numbers, *disk);
  const auto number = numbers->empty() ? 1 : numbers->back() + 1;
  if (auto made = disk->create_directories(folder + "/" + checkpoint_name(number)); !made)
    return made.failure();
  auto known = std::make_shared<const chunk_index>(
      known_contents(store, *numbers, number, options.rewrite_after));
  return checkpoint_writer(std::move(disk), std::move(folder), number, std::move(known),
                           options.rules);
}

result<void> checkpoint_writer::add(const checkpoint_chunk& chunk) {
  if (chunk.shard >= checkpoint_shards_max)
    return {errc::invalid_argument,
            fmt::format("a chunk of shard {}, at most {} shards have a checkpoint", chunk.shard,
                        checkpoint_shards_max)};
  auto& shard =
      shards_.try_emplace(chunk.shard, disk_, folder_, chunk_file{number_, chunk.shard}, known_)
          .first->second;
  return shard.add(chunk.id, chunk.kind, chunk.bytes);
}

result<checkpoint_manifest> checkpoint_writer::commit(checkpoint_summary summary,
                                                      std::uint32_t shards) {
  checkpoint_manifest manifest{number_, std::move(summary), {}, {}};
  std::map<chunk_file, std::uint64_t> files;
  for (auto& [shard, writer] : shards_) {
    if (shard != manifest.shards.size() || shard >= shards) break;
    auto finished = writer.finish(rules_.keeps(rule::checkpoint_synced));
    if (!finished) return finished.failure();
    for (const auto& entry : finished->files)
      files[entry.file] = entry.bytes;
    manifest.shards.push_back(std::move(finished->chunks));
  }
  if (manifest.shards.size() != shards || shards_.size() != shards)
    return {
        errc::invalid_argument,
        fmt::format("checkpoint {} of {} shards has chunks of {}; shard {} is the first that is "
                    "missing or too many",
                    checkpoint_name(number_), shards, shards_.size(), manifest.shards.size())};
  for (const auto& [file, bytes] : files)
    manifest.files.push_back({file, bytes});
  const auto bytes = encode_manifest(manifest);
  if (!bytes) return bytes.failure();
  const auto path = folder_ + "/" + checkpoint_name(number_) + "/" + std::string(manifest_name);
  if (auto written = disk_->write(path, *bytes); !written) return written.failure();
  return manifest;
}

void checkpoint_writer::abandon() {
  shards_.clear();
  remove_checkpoint(folder_, number_, *disk_);
}

} // namespace gradmesh::store
