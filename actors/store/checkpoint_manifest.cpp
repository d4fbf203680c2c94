#include "actors/store/checkpoint_manifest.hpp"

#include "actors/store/checkpoint_format.hpp"
#include "config/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <xxhash.h>

namespace gradmesh::store {
namespace {

constexpr std::uint64_t number_max = 999'999'999'999'999; // 15 digits
constexpr std::size_t name_digits_min = 6;

/// A part of a file; sorts by where it begins.
struct extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;

  auto operator<=>(const extent&) const = default;
};

error invalid(std::string text) {
  return {errc::invalid_argument, std::move(text)};
}

result<void> check_counts(const checkpoint_manifest& manifest) {
  if (manifest.number == 0 || manifest.number > number_max)
    return invalid(
        fmt::format("checkpoint number {} is not in 1..{}", manifest.number, number_max));
  const auto& tables = manifest.summary.model.tables;
  std::size_t chunks = 0;
  for (const auto& shard : manifest.shards)
    chunks += shard.size();
  if (manifest.shards.size() > checkpoint_shards_max || chunks > checkpoint_chunks_max ||
      tables.size() > checkpoint_tables_max)
    return invalid(fmt::format("{} shards (at most {}), {} chunks (at most {}) and {} tables (at "
                               "most {})",
                               manifest.shards.size(), checkpoint_shards_max, chunks,
                               checkpoint_chunks_max, tables.size(), checkpoint_tables_max));
  if (manifest.summary.progress.size() > checkpoint_progress_bytes_max)
    return invalid(fmt::format("{} bytes of progress, at most {}", manifest.summary.progress.size(),
                               checkpoint_progress_bytes_max));
  return {};
}

result<void> check_files(const checkpoint_manifest& manifest) {
  const auto& files = manifest.files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i].file;
    if (file.checkpoint == 0 || file.checkpoint > manifest.number ||
        file.shard >= checkpoint_shards_max || files[i].bytes < chunk_header_bytes)
      return invalid(fmt::format("file {} of {} bytes cannot be one of checkpoint {}",
                                 path_of(file), files[i].bytes, manifest.number));
    if (i > 0 && !(files[i - 1].file < file))
      return invalid(fmt::format("file {} follows {}", path_of(file), path_of(files[i - 1].file)));
  }
  return {};
}

/// The file of a chunk, after all that the chunk alone must fulfil.
result<std::size_t> check_chunk(const checkpoint_manifest& manifest, std::size_t shard,
                                const chunk_entry& chunk) {
  const auto found = std::lower_bound(
      manifest.files.begin(), manifest.files.end(), chunk.file,
      [](const chunk_file_entry& entry, const chunk_file& file) { return entry.file < file; });
  if (found == manifest.files.end() || found->file != chunk.file)
    return invalid(
        fmt::format("chunk {} of shard {} lies in {}, which is no file of the checkpoint", chunk.id,
                    shard, path_of(chunk.file)));
  if (chunk.bytes > chunk_bytes_max || chunk.offset < chunk_header_bytes ||
      chunk.offset > found->bytes || chunk.bytes > found->bytes - chunk.offset)
    return invalid(
        fmt::format("chunk {} of shard {} of {} bytes at {} does not lie in the {} bytes "
                    "of {}",
                    chunk.id, shard, chunk.bytes, chunk.offset, found->bytes, path_of(chunk.file)));
  return static_cast<std::size_t>(found - manifest.files.begin());
}

/// In the checkpoint's own files nothing may lie that no chunk covers.
result<void> check_covered(const chunk_file_entry& file, std::vector<extent> extents) {
  std::sort(extents.begin(), extents.end());
  extents.erase(std::unique(extents.begin(), extents.end()), extents.end());
  std::uint64_t end = chunk_header_bytes;
  for (const auto& part : extents) {
    if (part.offset != end) break;
    end += part.bytes;
  }
  if (end == file.bytes) return {};
  return invalid(fmt::format("the chunks in {} end or overlap at byte {} of {}", path_of(file.file),
                             end, file.bytes));
}

/// Lines of two texts that differ, the first of each; both empty if none do.
std::pair<std::string_view, std::string_view> first_difference(std::string_view a,
                                                               std::string_view b) {
  while (!a.empty() || !b.empty()) {
    const auto line_a = a.substr(0, a.find('\n'));
    const auto line_b = b.substr(0, b.find('\n'));
    if (line_a != line_b) return {line_a, line_b};
    a.remove_prefix(std::min(a.size(), line_a.size() + 1));
    b.remove_prefix(std::min(b.size(), line_b.size() + 1));
  }
  return {};
}

std::string describe(const learning::table_spec& table) {
  return fmt::format("{} table '{}' of width {}",
                     table.kind == learning::table_kind::sparse ? "sparse" : "dense", table.name,
                     table.width);
}

std::string describe(const learning::data_shape& shape) {
  return fmt::format("{} examples of {} features and {} classes",
                     shape.kind == learning::layout::sparse ? "sparse" : "dense", shape.features,
                     shape.classes);
}

/// What differs, as "X there, Y here"; empty if nothing does.
std::string model_difference(const model_identity& there, const model_identity& here) {
  if (there.shape != here.shape)
    return describe(there.shape) + " there, " + describe(here.shape) + " here";
  if (there.tables.size() != here.tables.size())
    return fmt::format("{} tables there, {} here", there.tables.size(), here.tables.size());
  for (std::size_t t = 0; t < there.tables.size(); ++t)
    if (there.tables[t] != here.tables[t])
      return describe(there.tables[t]) == describe(here.tables[t])
                 ? describe(here.tables[t]) + " begins with other values"
                 : describe(there.tables[t]) + " there, " + describe(here.tables[t]) + " here";
  if (there.config == here.config) return "";
  const auto [line_there, line_here] = first_difference(there.config, here.config);
  return fmt::format("'{}' there, '{}' here", line_there, line_here);
}

} // namespace

checksum128 checksum_of(std::string_view bytes) {
  const auto sum = XXH3_128bits(bytes.data(), bytes.size());
  return {sum.low64, sum.high64};
}

result<void> check_manifest(const checkpoint_manifest& manifest) {
  if (auto ok = check_counts(manifest); !ok) return ok;
  if (auto ok = check_files(manifest); !ok) return ok;
  std::vector<std::vector<extent>> extents(manifest.files.size());
  for (std::size_t s = 0; s < manifest.shards.size(); ++s) {
    const auto& chunks = manifest.shards[s];
    for (std::size_t c = 0; c < chunks.size(); ++c) {
      if (c > 0 && chunks[c - 1].id >= chunks[c].id)
        return invalid(fmt::format("chunk {} of shard {} follows chunk {}", chunks[c].id, s,
                                   chunks[c - 1].id));
      const auto file = check_chunk(manifest, s, chunks[c]);
      if (!file) return file.failure();
      extents[*file].push_back({chunks[c].offset, chunks[c].bytes});
    }
  }
  for (std::size_t f = 0; f < manifest.files.size(); ++f) {
    const auto& file = manifest.files[f];
    if (extents[f].empty())
      return invalid(fmt::format("no chunk lies in file {}", path_of(file.file)));
    if (file.file.checkpoint != manifest.number) continue;
    if (auto ok = check_covered(file, std::move(extents[f])); !ok) return ok;
  }
  return {};
}

result<void> check_same_model(const checkpoint_manifest& manifest, const model_identity& wanted) {
  const auto difference = model_difference(manifest.summary.model, wanted);
  if (difference.empty()) return {};
  return {errc::refused,
          config::printable(fmt::format(
              "checkpoint {} of job '{}' is of another model: {}; go on with the job file that it "
              "was made with, or keep this job's checkpoints in another folder",
              checkpoint_name(manifest.number), manifest.summary.job_name, difference))};
}

checkpoint_size size_of(const checkpoint_manifest& manifest) {
  checkpoint_size size;
  for (const auto& shard : manifest.shards)
    for (const auto& chunk : shard) {
      ++size.chunks;
      size.bytes += chunk.bytes;
      if (chunk.file.checkpoint != manifest.number) continue;
      ++size.own_chunks;
      size.own_bytes += chunk.bytes;
    }
  return size;
}

std::string checkpoint_name(std::uint64_t number) {
  return fmt::format("{:06}", number);
}

std::optional<std::uint64_t> checkpoint_number(std::string_view name) {
  std::uint64_t number = 0;
  if (name.size() < name_digits_min) return std::nullopt;
  for (const char c : name) {
    if (c < '0' || c > '9' || number > number_max) return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (number == 0 || number > number_max || checkpoint_name(number) != name) return std::nullopt;
  return number;
}

std::string chunk_file_name(std::uint32_t shard) {
  return fmt::format("shard-{:05}.chunks", shard);
}

std::string path_of(const chunk_file& file) {
  return checkpoint_name(file.checkpoint) + "/" + chunk_file_name(file.shard);
}

} // namespace gradmesh::store
