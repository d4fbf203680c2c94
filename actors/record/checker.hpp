#pragma once

/// Checks the clock log of one shard against the contract of its job: what each read saw, that each
/// push was applied once and whole, that the shard's clock and the staleness that it told were
/// right. Keeps its own books from the events alone and shares no code with the strategies.
///
/// Memory: a few words for each open push, and a bit for each batch of the job.

#include "actors/error.hpp"
#include "actors/record/contract.hpp"
#include "actors/record/event.hpp"

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

namespace gradmesh::record {

/// What was checked.
struct shard_findings {
  std::uint64_t reads = 0;          // for training
  std::uint64_t others = 0;         // reads for evaluation
  std::uint64_t repeated_reads = 0; // for a push that was whole by then; nobody used them
  std::uint64_t parts = 0;          // applied, or held for their step
  std::uint64_t pushes = 0;         // whole
  std::uint64_t steps = 0;          // summed
  std::uint64_t repeated_parts = 0;
  std::uint64_t late_parts = 0;
  std::uint64_t staleness_max = 0;      // updates between a read and its push
  std::uint64_t behind_max = 0;         // steps that a read missed of the worker behind most
  bool finished = false;                // the job came to its end
  std::vector<std::uint64_t> pushes_of; // by rank
};

class log_checker {
public:
  explicit log_checker(const job::job_plan& plan);

  /// An event that is no plan. Errors: `refused`, with what is wrong.
  result<void> add(const event& e);
  /// The job goes on by another plan. Errors as `add`.
  result<void> change(const job::job_plan& next);

  const shard_findings& found() const { return found_; }
  const record::contract& contract_of_job() const { return contract_; }

private:
  /// Pieces [first, first + count) of a step.
  struct batch {
    std::uint64_t step = 0;
    std::uint32_t first_piece = 0;
    std::uint32_t pieces = 0;
    bool operator==(const batch&) const = default;
  };
  /// A push that was read for, or has begun to come.
  struct open_push {
    bool has_read = false;
    std::uint64_t read_clock = 0; // of the oldest read for it
    std::vector<bool> taken;      // by part; empty before the first
    std::uint32_t missing = 0;
    batch of;
  };
  using push_list = std::map<std::uint64_t, open_push>; // by sequence

  void begin();
  result<void> check(const read_record& read);
  result<void> check(const push_record& push);
  result<void> check(const step_record& step);
  result<void> check(const export_record& exported);
  result<void> check(const end_record& end);

  /// Whether the shard has all parts of a push.
  bool is_whole(std::uint32_t rank, std::uint64_t sequence) const;
  result<void> check_rank(std::uint32_t rank, std::uint64_t clock) const;
  result<void> check_taken(const push_record& push);
  result<void> check_first_part(const push_record& push) const;
  bool was_taken(const push_record& push) const;
  result<void> complete(const push_record& push, push_list::iterator of);
  /// Takes note of a batch that is in the parameters now.
  result<void> learn(const batch& b);
  /// Whether everything before a step was trained, and nothing else.
  result<void> check_whole(std::uint64_t until) const;

  record::contract contract_;
  std::uint64_t clock_ = 0;              // updates applied, as counted here
  std::vector<std::uint64_t> completed_; // by rank: all pushes before this one are applied
  std::vector<push_list> open_;          // by rank
  std::unordered_map<std::uint64_t, std::uint64_t> learned_; // a bit for each step and piece
  std::uint64_t pieces_learned_ = 0;
  shard_findings found_;
};

} // namespace gradmesh::record
