#pragma once

/// What `gradmesh checkpoint` says about the checkpoints of a job, for people and for machines.

#include "actors/store/checkpoint_store.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::tools {

enum class checkpoint_state : std::uint8_t {
  complete,    // nothing is wrong, as far as was looked
  damaged,     // its manifest or a file is not as it was written, or cannot be read
  newer,       // of a format that this program does not know
  unfinished,  // has no manifest: a crash left it
  chunks_only, // was taken away but for chunks that others refer to
};
std::string_view to_string(checkpoint_state state);

struct checkpoint_row {
  std::uint64_t number = 0;
  checkpoint_state state = checkpoint_state::complete;
  std::optional<store::checkpoint_manifest> manifest; // none: see `why`
  std::string why;                                    // empty if there is a manifest
  std::vector<store::checkpoint_damage> damages;
};

struct checkpoint_survey {
  std::string folder;
  std::vector<checkpoint_row> rows; // by number

  /// The number of the newest complete one.
  std::optional<std::uint64_t> newest_complete() const;
  bool any_damage() const;
};

/// Looks through the folder of a job. Errors: those of `checkpoint_store::numbers`.
result<checkpoint_survey> survey_checkpoints(const store::checkpoint_store& from,
                                             store::check_depth depth);

/// A table, then what is damaged and which checkpoint would be used. `now_ms`: since 1970.
std::string survey_text(const checkpoint_survey& survey, std::int64_t now_ms);
/// One JSON object on a line.
std::string survey_json(const checkpoint_survey& survey, std::int64_t now_ms);

/// The chunks of one checkpoint, and which of them lie in files of older ones.
std::string chunks_text(const store::checkpoint_manifest& manifest);
std::string chunks_json(const store::checkpoint_manifest& manifest);

} // namespace gradmesh::tools
