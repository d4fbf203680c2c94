#pragma once

/// Writes what one shard gives to a checkpoint: its file of chunks (schema/checkpoint.capnp).
/// Used by one thread at a time; the writers of different shards are independent of each other.
///
/// Failure: the first error of the disk is the writer's end; every later call returns it again.

#include "actors/env/disk.hpp"
#include "actors/store/checkpoint_chunk_index.hpp"
#include "actors/store/checkpoint_manifest.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gradmesh::store {

/// What `finish` hands over to the manifest.
struct shard_chunks {
  std::vector<chunk_entry> chunks;     // ascending by id
  std::vector<chunk_file_entry> files; // in which they lie
};

class checkpoint_shard_writer {
public:
  /// `folder`: of the job; that of the checkpoint is there. `known`: what need not be written.
  checkpoint_shard_writer(std::shared_ptr<env::disk> disk, std::string folder, chunk_file file,
                          std::shared_ptr<const chunk_index> known);

  /// Errors: `invalid_argument` for an id that was there before or too many bytes, `io_failed`.
  result<void> add(std::uint64_t id, std::uint32_t kind, std::string_view bytes);

  /// On return all of it is on the medium, unless `synced` is false. Errors: `io_failed`.
  result<shard_chunks> finish(bool synced = true);

private:
  result<void> append(std::string_view bytes);

  std::shared_ptr<env::disk> disk_;
  std::string path_;
  chunk_file name_;
  std::shared_ptr<const chunk_index> known_;
  std::unique_ptr<env::growing_file> file_; // null until something must be written
  std::uint64_t file_bytes_ = 0;
  std::map<std::uint64_t, chunk_entry> chunks_;                            // by id
  std::map<std::pair<checksum128, std::uint64_t>, std::uint64_t> written_; // offset, by content
  error failure_;
};

} // namespace gradmesh::store
