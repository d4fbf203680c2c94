#pragma once

/// Takes old checkpoints away. A manifest goes first, and durably, before anything that it leads
/// to: a crash in between leaves files that nobody needs, never a checkpoint with a hole. Files
/// that a kept checkpoint refers to stay in their folders.
///
/// By whoever writes the folder's checkpoints, and not while one is being written.

#include "actors/store/checkpoint_store.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradmesh::store {

struct retention_figures {
  std::uint64_t checkpoints = 0; // manifests removed
  std::uint64_t files = 0;       // and other files
  std::uint64_t bytes = 0;       // of all of these
};

/// Keeps the newest `keep` (at least 1) checkpoints whose files are all there, with what they refer
/// to, and damaged ones that are newer than the oldest of these, for they might be mended.
/// Deletes nothing, with an error, as long as it cannot know what is needed: `refused` when there
/// is a checkpoint of a newer format, `io_failed` when one could not be read. Errors while
/// deleting: `io_failed`.
result<retention_figures> retain_checkpoints(std::shared_ptr<env::disk> disk,
                                             const std::string& folder, std::uint64_t keep);

/// What a crash left of checkpoints that have no manifest and come after all that have one. As far
/// as the disk allows. `numbers`: those of the store.
void remove_unfinished(const checkpoint_store& store, const std::vector<std::uint64_t>& numbers,
                       env::disk& disk);

/// The checkpoint's folder with all in it, as far as the disk allows.
void remove_checkpoint(const std::string& folder, std::uint64_t number, env::disk& disk);

} // namespace gradmesh::store
