#pragma once

/// Makes one checkpoint: begin, chunks of all shards in any order, commit. The order of writing is
/// that of schema/checkpoint.capnp, so that after a crash at any moment the checkpoint is whole or
/// is none, and those before it are as they were.
///
/// Failure: a disk that is full or does not sync is an error that the caller shows; what was
/// written is taken away again as far as the disk allows, and the checkpoints before stay. The next
/// one writes files of its own, so it does not rest on bytes that a failed sync may have lost.
///
/// Blocks while the disk works: use it on a thread that may (actors/checkpoint). One thread at a
/// time, and one writer for a folder.

#include "actors/rules.hpp"
#include "actors/store/checkpoint_shard_writer.hpp"
#include "actors/store/checkpoint_store.hpp"

#include <map>
#include <memory>
#include <string>

namespace gradmesh::store {

struct checkpoint_options {
  /// A chunk that has not changed is written again once its file is so many checkpoints old. Keeps
  /// a few old bytes from holding large old files, and bounds how many checkpoints lean on one
  /// file. 1: every checkpoint is full.
  std::uint64_t rewrite_after = 16;
  rule_set rules{};
};

class checkpoint_writer {
public:
  /// Makes the folders, and clears away what a crash left of an unfinished checkpoint. Contents of
  /// the newest checkpoint there will not be written again. Errors: those of the disk.
  static result<checkpoint_writer> begin(std::shared_ptr<env::disk> disk, std::string folder,
                                         checkpoint_options options = {});

  std::uint64_t number() const { return number_; }

  /// Errors: `invalid_argument` (a shard beyond the limit, an id twice, too many bytes),
  /// `io_failed`.
  result<void> add(const checkpoint_chunk& chunk);

  /// On return the checkpoint is on the medium, whole. Errors: `invalid_argument` if shards
  /// 0..shards-1 have not each given a chunk, or another has; `io_failed`.
  result<checkpoint_manifest> commit(checkpoint_summary summary, std::uint32_t shards);

  /// Takes away what was written, as far as the disk allows; after a failure, or instead of commit.
  void abandon();

private:
  checkpoint_writer(std::shared_ptr<env::disk> disk, std::string folder, std::uint64_t number,
                    std::shared_ptr<const chunk_index> known, const rule_set& rules)
      : disk_(std::move(disk)), folder_(std::move(folder)), number_(number),
        known_(std::move(known)), rules_(rules) {}

  std::shared_ptr<env::disk> disk_;
  std::string folder_;
  std::uint64_t number_;
  std::shared_ptr<const chunk_index> known_;
  rule_set rules_;
  std::map<std::uint32_t, checkpoint_shard_writer> shards_;
};

} // namespace gradmesh::store
