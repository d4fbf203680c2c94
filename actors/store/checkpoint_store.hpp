#pragma once

/// Reads the checkpoints of a job: lists, checks, finds the one to go on from. The folders are
/// described in schema/checkpoint.capnp; checkpoint_writer.hpp makes them.
///
/// Nothing here changes the disk. Memory: a manifest, and a chunk at a time. Threads: one object
/// may be used by several.

#include "actors/env/disk.hpp"
#include "actors/rules.hpp"
#include "actors/store/checkpoint_manifest.hpp"

#include <memory>
#include <string>
#include <vector>

namespace gradmesh::store {

/// What is wrong with a file.
struct checkpoint_damage {
  std::string path; // in the job's folder
  std::uint64_t offset =
      0; // where the damaged part begins, and its length; 0 and 0: the whole file
  std::uint64_t bytes = 0;
  /// `malformed_data`: its bytes are others than were written; `not_found`, `io_failed`: from the
  /// disk; `refused`: a newer format.
  error why;
};

/// "000012/shard-00003.chunks, bytes 40..1039: ...".
std::string to_string(const checkpoint_damage& damage);

enum class check_depth : std::uint8_t {
  files,  // are there, have their length and header
  chunks, // and each chunk has its checksum
};

/// The checkpoint to go on from.
struct good_checkpoint {
  checkpoint_manifest manifest;
  /// Why newer ones were passed over, the newest first; to be shown.
  std::vector<std::string> passed_over;
};

class checkpoint_store {
public:
  /// `folder`: of the job.
  checkpoint_store(std::shared_ptr<env::disk> disk, std::string folder, const rule_set& rules = {})
      : disk_(std::move(disk)), folder_(std::move(folder)), rules_(rules) {}

  const std::string& folder() const { return folder_; }

  /// All numbered folders, ascending, whether they hold a manifest or not; none if the job's folder
  /// is not there. Errors: those of `env::disk::list_folders`.
  result<std::vector<std::uint64_t>> numbers() const;

  /// Errors: `not_found` if there is none (the checkpoint was not finished, or is kept for its
  /// chunks only), `malformed_data` for a damaged one, `refused` for a newer format, `io_failed`.
  result<checkpoint_manifest> manifest(std::uint64_t number) const;

  /// The content of a chunk. Errors: `malformed_data` with file and place, and those of the disk.
  result<std::string> read(const chunk_entry& chunk) const;

  /// All that is wrong with the checkpoint's files; empty: nothing.
  std::vector<checkpoint_damage> check(const checkpoint_manifest& manifest,
                                       check_depth depth) const;

  /// The newest checkpoint all of whose chunks are whole and that is of the model (null: of any).
  /// Reads every chunk of it. Errors: `not_found` if there is none, with the reasons; those of
  /// `numbers`.
  result<good_checkpoint> latest_good(const model_identity* wanted) const;

  /// The same of one checkpoint. Errors: why it is not to go on from.
  result<good_checkpoint> good(std::uint64_t number, const model_identity* wanted) const;

private:
  std::string path_in(const std::string& name) const { return folder_ + "/" + name; }
  bool is_as_written(std::string_view bytes, const chunk_entry& chunk) const;
  result<void> check_header(const chunk_file_entry& entry) const;
  result<void> check_usable(const checkpoint_manifest& manifest,
                            const model_identity* wanted) const;

  std::shared_ptr<env::disk> disk_;
  std::string folder_;
  rule_set rules_;
};

} // namespace gradmesh::store
