#pragma once

/// A set of a job's pieces by their numbers (step * pieces + piece), kept as runs: what training
/// has done is all pieces below some number and a few beyond. The wire form is schema::PieceSet.

#include "actors/error.hpp"
#include "schema/job.capnp.h"

#include <cstdint>
#include <map>

namespace gradmesh::job {

/// Pieces [first, last).
struct piece_run {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool operator==(const piece_run&) const = default;
};

class piece_set {
public:
  piece_set() = default;
  /// All pieces below.
  explicit piece_set(std::uint64_t below) {
    if (below > 0) runs_[0] = below;
  }

  void add(piece_run run);
  bool contains(piece_run run) const;
  /// Whether it has any piece of the run.
  bool touches(piece_run run) const;
  /// The lowest piece that is not in it.
  std::uint64_t below() const;
  /// Pieces in it.
  std::uint64_t size() const;
  /// From first to last; runs do not touch each other.
  const std::map<std::uint64_t, std::uint64_t>& runs() const { return runs_; }

  bool operator==(const piece_set&) const = default;

private:
  std::map<std::uint64_t, std::uint64_t> runs_;
};

/// As many of the pieces above the first gap as a message holds, the lowest ones: who is told less
/// than was done does some of it again, which the ledgers of the shards notice.
inline constexpr std::uint64_t pieces_above_max = 1u << 20;
void encode(const piece_set& set, schema::PieceSet::Builder out);
/// Errors: `malformed_message` unless the pieces above ascend.
result<piece_set> decode(schema::PieceSet::Reader in);

} // namespace gradmesh::job
