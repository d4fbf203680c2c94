#pragma once

/// What a checkpoint consists of, in memory. How it lies on the disk is specified in
/// schema/checkpoint.capnp; checkpoint_format.hpp reads and writes it.

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/learning/table.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::store {

inline constexpr std::size_t checkpoint_shards_max = 4096;
inline constexpr std::size_t checkpoint_chunks_max = std::size_t{1} << 22; // of all shards
inline constexpr std::uint64_t chunk_bytes_max = std::uint64_t{1} << 30;
inline constexpr std::uint64_t checkpoint_progress_bytes_max = std::uint64_t{64} << 20;

/// XXH3-128.
struct checksum128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  auto operator<=>(const checksum128&) const = default;
};

checksum128 checksum_of(std::string_view bytes);

/// A part of a shard's state, as the shard gives it. What the bytes mean is the shards' business.
struct checkpoint_chunk {
  std::uint32_t shard = 0;
  std::uint64_t id = 0; // each once in a shard and checkpoint
  std::uint32_t kind = 0;
  std::string bytes; // at most chunk_bytes_max
};

/// Which file of chunks: the checkpoint that it was written for, and the shard.
struct chunk_file {
  std::uint64_t checkpoint = 0;
  std::uint32_t shard = 0;

  auto operator<=>(const chunk_file&) const = default;
};

struct chunk_file_entry {
  chunk_file file;
  std::uint64_t bytes = 0; // its whole length

  bool operator==(const chunk_file_entry&) const = default;
};

/// Where a chunk of a checkpoint lies, and what it must be.
struct chunk_entry {
  std::uint64_t id = 0;
  std::uint32_t kind = 0;
  chunk_file file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  checksum128 checksum;

  bool operator==(const chunk_entry&) const = default;
};

/// What a checkpoint must agree on with the job that goes on from it.
struct model_identity {
  learning::data_shape shape;
  std::vector<learning::table_spec> tables;
  /// The options that make the model and its training, in the words of the job file.
  std::string config;

  bool operator==(const model_identity&) const = default;
};

/// What whoever makes a checkpoint says of it.
struct checkpoint_summary {
  std::string created_by;
  std::int64_t created_unix_ms = 0; // for people
  std::string job_name;
  std::uint64_t job_id = 0;
  model_identity model;
  std::uint64_t step = 0;  // steps that are wholly in it
  std::uint64_t steps = 0; // of the job
  std::string progress;    // the coordinator's

  bool operator==(const checkpoint_summary&) const = default;
};

struct checkpoint_manifest {
  std::uint64_t number = 0;
  checkpoint_summary summary;
  std::vector<std::vector<chunk_entry>> shards; // by shard; each ascending by id
  std::vector<chunk_file_entry> files;          // ascending; each holds a chunk of `shards`

  bool operator==(const checkpoint_manifest&) const = default;
};

/// Refuses a manifest that breaks a rule of schema/checkpoint.capnp or is outside the limits above:
/// `invalid_argument`.
result<void> check_manifest(const checkpoint_manifest& manifest);

/// `refused`, with the first thing that differs, unless the checkpoint is of this model.
result<void> check_same_model(const checkpoint_manifest& manifest, const model_identity& wanted);

/// Chunks, and bytes in them, that the checkpoint is made of, and those that lie in its own files.
struct checkpoint_size {
  std::uint64_t chunks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t own_chunks = 0;
  std::uint64_t own_bytes = 0;
};
checkpoint_size size_of(const checkpoint_manifest& manifest);

/// "000012".
std::string checkpoint_name(std::uint64_t number);
/// 12 for "000012"; nothing for what `checkpoint_name` does not make.
std::optional<std::uint64_t> checkpoint_number(std::string_view name);
/// "shard-00003.chunks".
std::string chunk_file_name(std::uint32_t shard);
/// "000012/shard-00003.chunks", in the job's folder.
std::string path_of(const chunk_file& file);
inline constexpr std::string_view manifest_name = "manifest";

} // namespace gradmesh::store
