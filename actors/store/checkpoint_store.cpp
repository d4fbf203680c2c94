#include "actors/store/checkpoint_store.hpp"

#include "actors/store/checkpoint_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <set>
#include <tuple>
#include <utility>

namespace gradmesh::store {
namespace {

error in_file(const std::string& path, const error& why) {
  return {why.code, path + ": " + why.text};
}

error damaged_chunk(const chunk_entry& chunk) {
  return {errc::malformed_data,
          fmt::format("chunk {} is damaged: its checksum is wrong", chunk.id)};
}

/// The files of the folders that a checkpoint has files in, or why they cannot be listed.
using folder_lists = std::map<std::uint64_t, result<std::vector<env::file_info>>>;

folder_lists lists_for(const checkpoint_manifest& manifest, const std::string& folder,
                       env::disk& disk) {
  folder_lists lists;
  for (const auto& entry : manifest.files)
    if (const auto number = entry.file.checkpoint; !lists.contains(number))
      lists.emplace(number, disk.list(folder + "/" + checkpoint_name(number)));
  return lists;
}

result<void> check_length(const chunk_file_entry& entry, const folder_lists& lists) {
  const auto& files = lists.at(entry.file.checkpoint);
  if (!files) return files.failure();
  const auto found =
      std::ranges::find(*files, chunk_file_name(entry.file.shard), &env::file_info::name);
  if (found == files->end()) return {errc::not_found, "the file is missing"};
  if (found->bytes == entry.bytes) return {};
  return {errc::malformed_data,
          fmt::format("the file has {} bytes, it was written with {}", found->bytes, entry.bytes)};
}

} // namespace

std::string to_string(const checkpoint_damage& damage) {
  if (damage.bytes == 0) return in_file(damage.path, damage.why).text;
  return fmt::format("{}, bytes {}..{}: {}", damage.path, damage.offset,
                     damage.offset + damage.bytes - 1, damage.why.text);
}

result<std::vector<std::uint64_t>> checkpoint_store::numbers() const {
  std::vector<std::uint64_t> numbers;
  const auto folders = disk_->list_folders(folder_);
  if (!folders && folders.failure().code == errc::not_found) return numbers;
  if (!folders) return folders.failure();
  for (const auto& name : *folders)
    if (const auto number = checkpoint_number(name)) numbers.push_back(*number);
  std::sort(numbers.begin(), numbers.end()); // longer names are not greater as text
  return numbers;
}

result<checkpoint_manifest> checkpoint_store::manifest(std::uint64_t number) const {
  const auto folder = path_in(checkpoint_name(number));
  const auto path = folder + "/" + std::string(manifest_name);
  // By its folder's list: that a file cannot be looked at does not mean that it is not there.
  const auto files = disk_->list(folder);
  if (!files) return files.failure();
  if (std::ranges::find(*files, manifest_name, &env::file_info::name) == files->end())
    return {errc::not_found,
            fmt::format("'{}' is not there: checkpoint {} was not finished, or is kept for its "
                        "chunks only",
                        path, checkpoint_name(number))};
  const auto bytes = disk_->read(path, manifest_bytes_max);
  if (!bytes)
    return bytes.failure().code == errc::limit_exceeded
               ? error{errc::malformed_data, bytes.failure().text}
               : error{errc::io_failed, bytes.failure().text};
  auto manifest = decode_manifest(*bytes);
  if (!manifest) return in_file(path, manifest.failure());
  if (manifest->number != number)
    return {errc::malformed_data,
            fmt::format("{}: this is the manifest of checkpoint {}; move it back", path,
                        checkpoint_name(manifest->number))};
  return manifest;
}

bool checkpoint_store::is_as_written(std::string_view bytes, const chunk_entry& chunk) const {
  return !rules_.keeps(rule::checkpoint_verified) || checksum_of(bytes) == chunk.checksum;
}

result<std::string> checkpoint_store::read(const chunk_entry& chunk) const {
  const auto path = path_in(path_of(chunk.file));
  auto bytes = disk_->read_part(path, chunk.offset, chunk.bytes);
  if (!bytes) return bytes;
  if (!is_as_written(*bytes, chunk))
    return error{errc::malformed_data, to_string(checkpoint_damage{path, chunk.offset, chunk.bytes,
                                                                   damaged_chunk(chunk)})};
  return bytes;
}

result<void> checkpoint_store::check_header(const chunk_file_entry& entry) const {
  const auto header = disk_->read_part(path_in(path_of(entry.file)), 0, chunk_header_bytes);
  return header ? check_chunk_header(*header, entry.file) : header.failure();
}

std::vector<checkpoint_damage> checkpoint_store::check(const checkpoint_manifest& manifest,
                                                       check_depth depth) const {
  std::vector<checkpoint_damage> found;
  std::set<chunk_file> unreadable;
  const auto lists = lists_for(manifest, folder_, *disk_);
  for (const auto& entry : manifest.files) {
    const auto path = path_of(entry.file);
    auto ok = check_length(entry, lists);
    if (ok) ok = check_header(entry);
    if (ok) continue;
    found.push_back({path, 0, 0, ok.failure()});
    unreadable.insert(entry.file);
  }
  if (depth == check_depth::files) return found;

  std::set<std::tuple<chunk_file, std::uint64_t, std::uint64_t, checksum128>> seen;
  for (const auto& chunk : manifest.shards | std::views::join) {
    if (unreadable.contains(chunk.file) ||
        !seen.insert({chunk.file, chunk.offset, chunk.bytes, chunk.checksum}).second)
      continue;
    const auto path = path_of(chunk.file);
    const auto bytes = disk_->read_part(path_in(path), chunk.offset, chunk.bytes);
    if (!bytes)
      found.push_back({path, chunk.offset, chunk.bytes, bytes.failure()});
    else if (!is_as_written(*bytes, chunk))
      found.push_back({path, chunk.offset, chunk.bytes, damaged_chunk(chunk)});
  }
  return found;
}

result<void> checkpoint_store::check_usable(const checkpoint_manifest& manifest,
                                            const model_identity* wanted) const {
  if (wanted)
    if (auto same = check_same_model(manifest, *wanted); !same) return same;
  const auto damages = check(manifest, check_depth::chunks);
  if (damages.empty()) return {};
  auto text = fmt::format("checkpoint {} cannot be used: {}", checkpoint_name(manifest.number),
                          to_string(damages.front()));
  if (damages.size() > 1) text += fmt::format(" (and {} more)", damages.size() - 1);
  return {damages.front().why.code, text};
}

result<good_checkpoint> checkpoint_store::good(std::uint64_t number,
                                               const model_identity* wanted) const {
  auto found = manifest(number);
  if (!found) return found.failure();
  if (auto usable = check_usable(*found, wanted); !usable) return usable.failure();
  return good_checkpoint{*std::move(found), {}};
}

result<good_checkpoint> checkpoint_store::latest_good(const model_identity* wanted) const {
  const auto all = numbers();
  if (!all) return all.failure();
  std::vector<std::string> passed_over;
  for (const auto number : *all | std::views::reverse) {
    auto found = manifest(number);
    if (!found && found.failure().code == errc::not_found) continue; // was never one
    const auto usable = found ? check_usable(*found, wanted) : found.failure();
    if (usable) return good_checkpoint{*std::move(found), std::move(passed_over)};
    passed_over.push_back(usable.failure().text);
  }
  std::string text = "there is no checkpoint in '" + folder_ + "' to go on from";
  for (const auto& reason : passed_over)
    text += "; " + reason;
  if (!passed_over.empty()) text += "; put its files back from a copy, or begin anew elsewhere";
  return error{errc::not_found, text};
}

} // namespace gradmesh::store
