#include "actors/store/checkpoint_retention.hpp"

#include <algorithm>
#include <map>
#include <ranges>
#include <set>
#include <utility>

namespace gradmesh::store {
namespace {

/// What is in the folder, and what of it is needed.
struct survey {
  std::vector<std::uint64_t> whole; // ascending; their files are there
  /// Have a manifest, but it or a file is not as it was: the files that it names, if it can be
  /// read.
  std::map<std::uint64_t, std::vector<chunk_file_entry>> damaged;
  std::uint64_t first_kept = 0;
  std::set<std::string> needed_files; // by those that stay; paths in the job's folder
};

/// Whether it cannot be known what such a checkpoint needs.
bool is_unknown(errc code) {
  return code == errc::refused || code == errc::io_failed;
}

/// Sorts one checkpoint in. An error if it cannot be known what it needs.
result<void> look_at(const checkpoint_store& store, std::uint64_t number, survey& into,
                     std::vector<checkpoint_manifest>& whole) {
  auto manifest = store.manifest(number);
  if (!manifest) {
    if (is_unknown(manifest.failure().code)) return manifest.failure();
    if (manifest.failure().code != errc::not_found) into.damaged[number] = {};
    return {};
  }
  const auto damages = store.check(*manifest, check_depth::files);
  for (const auto& damage : damages)
    if (is_unknown(damage.why.code)) return {damage.why.code, to_string(damage)};
  if (!damages.empty()) {
    into.damaged[number] = manifest->files;
    return {};
  }
  into.whole.push_back(number);
  whole.push_back(*std::move(manifest));
  return {};
}

result<survey> look_through(const checkpoint_store& store, std::uint64_t keep) {
  const auto numbers = store.numbers();
  if (!numbers) return numbers.failure();
  survey seen;
  std::vector<checkpoint_manifest> whole;
  for (const auto number : *numbers)
    if (auto ok = look_at(store, number, seen, whole); !ok)
      return error{ok.failure().code, "no checkpoint was deleted: " + ok.failure().text};
  if (whole.empty()) return seen;
  const auto kept = std::min<std::size_t>(keep, whole.size());
  seen.first_kept = seen.whole[whole.size() - kept];
  const auto need = [&](const std::vector<chunk_file_entry>& files) {
    for (const auto& entry : files)
      seen.needed_files.insert(path_of(entry.file));
  };
  for (const auto& manifest : whole | std::views::drop(whole.size() - kept))
    need(manifest.files);
  for (const auto& [number, files] : seen.damaged)
    if (number > seen.first_kept) need(files);
  return seen;
}

/// Empties a folder but for what is needed; the manifest goes first. Removes it if nothing is left.
result<void> clear_folder(const std::string& folder, std::uint64_t number,
                          const std::set<std::string>& needed, env::disk& disk,
                          retention_figures& removed) {
  const auto name = checkpoint_name(number);
  auto files = disk.list(folder + "/" + name);
  if (!files) return files.failure();
  std::ranges::stable_partition(
      *files, [](const env::file_info& file) { return file.name == manifest_name; });
  bool empty = true;
  for (const auto& file : *files) {
    const auto path = name + "/" + file.name;
    if (needed.contains(path)) {
      empty = false;
      continue;
    }
    if (auto gone = disk.remove(folder + "/" + path); !gone) return gone;
    ++(file.name == manifest_name ? removed.checkpoints : removed.files);
    removed.bytes += file.bytes;
  }
  return empty ? disk.remove(folder + "/" + name) : result<void>();
}

} // namespace

result<retention_figures> retain_checkpoints(std::shared_ptr<env::disk> disk,
                                             const std::string& folder, std::uint64_t keep) {
  if (keep == 0) return {errc::invalid_argument, "0 checkpoints are to be kept; keep 1 or more"};
  const checkpoint_store store(disk, folder);
  const auto seen = look_through(store, keep);
  if (!seen) return seen.failure();
  retention_figures removed;
  if (seen->whole.empty()) return removed;
  const auto numbers = store.numbers();
  if (!numbers) return numbers.failure();
  for (const auto number : *numbers) {
    const bool newer = number >= seen->whole.back();
    const bool kept = number >= seen->first_kept && std::ranges::binary_search(seen->whole, number);
    if (newer || kept || (number > seen->first_kept && seen->damaged.contains(number))) continue;
    if (auto done = clear_folder(folder, number, seen->needed_files, *disk, removed); !done)
      return done.failure();
  }
  return removed;
}

void remove_unfinished(const checkpoint_store& store, const std::vector<std::uint64_t>& numbers,
                       env::disk& disk) {
  for (const auto number : numbers | std::views::reverse) {
    const auto manifest = store.manifest(number);
    if (manifest || manifest.failure().code != errc::not_found) return;
    remove_checkpoint(store.folder(), number, disk);
  }
}

void remove_checkpoint(const std::string& folder, std::uint64_t number, env::disk& disk) {
  retention_figures ignored;
  (void)clear_folder(folder, number, {}, disk, ignored);
}

} // namespace gradmesh::store
