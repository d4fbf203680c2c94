#pragma once

/// Which pushes a shard has applied, so that each is applied once, whoever sends it however often.
/// A push is named by the pieces that its gradient was computed from; its parts may come in any
/// order, and pushes may overtake each other.
///
/// Memory: a run for each gap in what is applied, and a bit for each part of the pushes that are
/// applied in part. There are few of both, since who may work on what is bounded (leases,
/// staleness); with `gaps_max` of them nothing new is taken.

#include "actors/error.hpp"
#include "actors/job/piece_set.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace gradmesh::server_shard {

/// A part of a push.
struct push_name {
  job::piece_run pieces;
  std::uint32_t part = 0; // below count
  std::uint32_t count = 0;
};

class piece_ledger {
public:
  static constexpr std::size_t gaps_max = 1u << 20;

  /// A push that has been applied in part.
  struct open_push {
    std::uint64_t last = 0;  // its pieces end here
    std::vector<bool> taken; // by part
    std::uint32_t missing = 0;
    bool operator==(const open_push&) const = default;
  };

  piece_ledger() = default;
  explicit piece_ledger(job::piece_set done) : done_(std::move(done)) {}
  piece_ledger(job::piece_set done, std::map<std::uint64_t, open_push> open)
      : done_(std::move(done)), open_(std::move(open)) {}

  /// Pieces whose pushes are applied whole.
  const job::piece_set& done() const { return done_; }
  /// By their first piece.
  const std::map<std::uint64_t, open_push>& open() const { return open_; }

  /// Whether a part was applied before. Errors: `refused` if the push shares pieces with another
  /// push that was applied, has another number of parts than before, or there are too many gaps.
  result<bool> has(const push_name& push) const;

  /// Takes note of a part that it does not have. True if that completes the push.
  bool add(const push_name& push);

  bool operator==(const piece_ledger&) const = default;

private:
  job::piece_set done_;
  std::map<std::uint64_t, open_push> open_;
};

} // namespace gradmesh::server_shard
