#pragma once

/// The clock log of a shard: what it did for a job, in its order, so that it can be checked
/// (checker.hpp) and done again (replay.hpp) afterwards. One file for each shard.
///
///   file    = "GMRECORD" version:UInt32 zero:UInt32 block*
///   block   = length:UInt32 number:UInt32 checksum:UInt64 payload     all little-endian
///   payload = record*                     `length` bytes of whole records, at most block_bytes_max
///   record  = kind:1 byte, then its numbers, each a varint: 7 bits a byte, the lowest first, the
///             highest bit set in all bytes but the last
///
///   plan    1  shard epoch size(rules) { size bytes }* size(plan) bytes
///   read    2  rank forPush clockAsked clock ownMissing size(runs) { first count }*
///   applied 3  | held 4 | late 5 | repeated 6:
///              rank sequence part count readClock clock staleness step firstPiece pieces ownSteps
///              sample
///   step    7  clock size(ranks) rank*
///   export  8  partition hash
///   gap     9  events
///   end    10  ending pulls pushes updates repeatedParts refused
///
/// The first record is a plan, the last the end. Another plan in between says that the job goes on
/// by it: the parameters stay, clocks and pushes begin anew. Blocks are numbered from 0. A block's
/// checksum is the XXH3-64 of its payload, seeded with that of its length and number, seeded with
/// the checksum of the block before; before the first stands the XXH3-64 of the file's first 16
/// bytes. So a log that was cut, edited or put together from several is told from a whole one, and
/// the block is known.
///
/// Limits: those below; a reader refuses what is beyond.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gradmesh::record {

inline constexpr std::string_view log_magic = "GMRECORD";
inline constexpr std::uint32_t log_version = 2;
inline constexpr std::size_t file_header_bytes = 16;
inline constexpr std::size_t block_header_bytes = 16;
/// A block is closed when it has come to this.
inline constexpr std::size_t block_bytes = 64u << 10;
/// Of the block with the plan, or a very long record.
inline constexpr std::size_t block_bytes_max = 64u << 20;

/// What the job was.
struct plan_record {
  std::uint32_t shard = 0; // its place in the plan
  std::uint64_t epoch = 0; // the view that the plan was made in
  /// Rules of the contract that were switched off in the shard (for experiments), by name.
  std::vector<std::string> rules_off;
  std::string plan; // schema::JobPlan in flat form
};

/// Parts [first, first + count) of a pull, by number.
struct part_run {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const part_run&) const = default;
};

/// Values that were read and sent.
struct read_record {
  std::uint32_t rank = 0;
  std::uint64_t for_push = 0;    // 1 + sequence of the push that is computed from them; 0: none
  std::uint64_t clock_asked = 0; // what the worker asked for
  std::uint64_t clock = 0;       // of the shard
  std::uint64_t own_missing = 0; // as the worker was told: schema::Pulled
  std::vector<part_run> parts;
  bool operator==(const read_record&) const = default;
};

enum class outcome : std::uint8_t { applied, held, late, repeated };

/// A part of a push, and what the shard did with it: applied it at once, held it for its step,
/// dropped it because its step had been applied without it, or had it before.
struct push_record {
  outcome what{};
  std::uint32_t rank = 0;
  std::uint64_t sequence = 0;
  std::uint32_t part = 0;
  std::uint32_t count = 0; // parts of the push
  std::uint64_t read_clock = 0;
  std::uint64_t clock = 0;     // of the shard when the part came
  std::uint64_t staleness = 0; // as the worker was told, which is 0 before the last part
  // The batch: pieces [first_piece, first_piece + pieces) of a step.
  std::uint64_t step = 0;
  std::uint32_t first_piece = 0;
  std::uint32_t pieces = 0;
  std::uint64_t own_steps = 0; // as the worker says: schema::PushedPart
  std::uint32_t sample = 0;    // `sample_of` the values as they came
  bool operator==(const push_record&) const = default;
};

/// The sum over a step was applied; the shard's clock was `clock`.
struct step_record {
  std::uint64_t clock = 0;
  std::vector<std::uint32_t> ranks; // whose pushes it holds
  bool operator==(const step_record&) const = default;
};

/// A partition was exported, which happens after the training.
struct export_record {
  std::uint32_t partition = 0;
  std::uint64_t hash = 0; // `hash_of` its content
  bool operator==(const export_record&) const = default;
};

/// From here on nothing was written down, because the disk could not follow.
struct gap_record {
  std::uint64_t events = 0;
  bool operator==(const gap_record&) const = default;
};

/// Why a log ends: its shard did, the job did, or the shard is on another server from now on, which
/// keeps no log of it.
enum class ending : std::uint8_t { stopped, job_over, moved };

struct end_record {
  ending how{}; // `stopped`: the numbers are zeros
  std::uint64_t pulls = 0;
  std::uint64_t pushes = 0;
  std::uint64_t updates = 0;
  std::uint64_t repeated_parts = 0;
  std::uint64_t refused = 0;
  bool operator==(const end_record&) const = default;
};

using event = std::variant<plan_record, read_record, push_record, step_record, export_record,
                           gap_record, end_record>;

} // namespace gradmesh::record
