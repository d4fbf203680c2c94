#pragma once

/// Checkpoints of a small job, for tests.

#include "actors/store/checkpoint_retention.hpp"
#include "actors/store/checkpoint_writer.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gradmesh::testing {

inline const std::string checkpoint_folder = "/checkpoints/job";

inline store::model_identity small_model() {
  return {{learning::layout::sparse, 100, 3},
          {{"b", learning::table_kind::dense, 3, learning::initializer::zeros, 0},
           {"w", learning::table_kind::sparse, 3, learning::initializer::uniform, 0.5F}},
          "[job]\nmodel = softmax\nseed = 7\n"};
}

inline store::checkpoint_summary summary_at(std::uint64_t step) {
  return {.created_by = "gradmesh 0.1.0",
          .created_unix_ms = 1'795'000'000'000,
          .job_name = "quickstart",
          .job_id = 9,
          .model = small_model(),
          .step = step,
          .steps = 100,
          .progress = "epoch 1"};
}

/// What two shards hold after `step` steps. Chunk 0 of each is new in each step; chunks 1 and 2
/// never change, and those of one shard are not those of the other.
inline std::vector<store::checkpoint_chunk> chunks_at(std::uint64_t step) {
  std::vector<store::checkpoint_chunk> chunks;
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    const auto name = "shard " + std::to_string(shard);
    chunks.push_back({shard, 0, 1, name + " after step " + std::to_string(step)});
    chunks.push_back({shard, 1, 1, name + " for ever"});
    chunks.push_back({shard, 2, 2, name + std::string("\0 the same", 10)});
  }
  return chunks;
}

inline result<store::checkpoint_manifest>
write_checkpoint(const std::shared_ptr<env::disk>& disk, std::uint64_t step,
                 const std::vector<store::checkpoint_chunk>& chunks,
                 store::checkpoint_options options = {}) {
  auto writer = store::checkpoint_writer::begin(disk, checkpoint_folder, options);
  if (!writer) return writer.failure();
  result<void> ok;
  for (const auto& chunk : chunks)
    if (ok) ok = writer->add(chunk);
  auto written =
      ok ? writer->commit(summary_at(step), 2) : result<store::checkpoint_manifest>(ok.failure());
  if (!written) writer->abandon();
  return written;
}

inline result<store::checkpoint_manifest> write_checkpoint(const std::shared_ptr<env::disk>& disk,
                                                           std::uint64_t step) {
  return write_checkpoint(disk, step, chunks_at(step));
}

/// The chunks of a checkpoint, as they are read back.
inline std::map<std::pair<std::uint32_t, std::uint64_t>, std::string>
contents_of(const store::checkpoint_store& from, const store::checkpoint_manifest& manifest) {
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::string> contents;
  for (std::uint32_t shard = 0; shard < manifest.shards.size(); ++shard)
    for (const auto& chunk : manifest.shards[shard]) {
      const auto bytes = from.read(chunk);
      REQUIRE(bytes);
      contents[{shard, chunk.id}] = std::to_string(chunk.kind) + *bytes;
    }
  return contents;
}

inline std::map<std::pair<std::uint32_t, std::uint64_t>, std::string>
contents_of(const std::vector<store::checkpoint_chunk>& chunks) {
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::string> contents;
  for (const auto& chunk : chunks)
    contents[{chunk.shard, chunk.id}] = std::to_string(chunk.kind) + chunk.bytes;
  return contents;
}

/// Paths of all files below the folder.
inline std::vector<std::string> files_below(env::disk& disk, const std::string& folder) {
  std::vector<std::string> paths;
  const auto folders = disk.list_folders(folder);
  REQUIRE(folders);
  for (const auto& name : *folders) {
    const auto files = disk.list(folder + "/" + name);
    REQUIRE(files);
    for (const auto& file : *files)
      paths.push_back(name + "/" + file.name);
  }
  return paths;
}

} // namespace gradmesh::testing
