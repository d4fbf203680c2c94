#pragma once

/// Checks the clock log of one shard against the contract of its job: what each read saw, that each
/// push was applied once and whole, that the shard's clock and the staleness that it told were
/// right. Keeps its own books from the events alone and shares no code with the strategies.
///
/// When workers are lost or come, a plan with the same options begins a new generation of them:
/// what was applied stays, what was held for a step or read is nobody's any more.
///
/// Memory: a few words for each open push, and a bit for each piece of the job.

#include "actors/error.hpp"
#include "actors/record/contract.hpp"
#include "actors/record/event.hpp"

#include <cstdint>
#include <map>
#include <set>
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
  bool whole = false;                   // all of the training is here
  bool moved = false;                   // the shard went to another server
  std::uint64_t clock = 0;              // updates applied
  std::uint64_t generations = 0;        // of workers, after the first
  std::vector<std::uint64_t> pushes_of; // by rank, in the last generation
};

class log_checker {
public:
  explicit log_checker(const job::job_plan& plan);

  /// An event that is no plan. Errors: `refused`, with what is wrong.
  result<void> add(const event& e);
  /// The job goes on by another plan. Errors as `add`.
  result<void> change(const job::job_plan& next);

  shard_findings found() const;
  const record::contract& contract_of_job() const { return contract_; }

private:
  /// A push that has begun to come; by its first piece.
  struct open_push {
    std::vector<bool> taken; // by part
    std::uint32_t missing = 0;
    job::piece_run of;
  };
  /// What a worker did that is not over.
  struct worker_state {
    std::map<std::uint64_t, std::set<std::uint64_t>> reads; // by sequence: clocks of the shard
    std::map<std::uint64_t, open_push> pushes;              // by `key_of`
  };

  void begin();
  result<void> begin_generation(const contract& next);
  result<void> check(const read_record& read);
  result<void> check(const push_record& push);
  result<void> check(const step_record& step);
  result<void> check(const export_record& exported);
  result<void> check(const end_record& end);

  /// Whether the shard has all parts of a push.
  bool is_whole(std::uint32_t rank, std::uint64_t sequence) const;
  /// No push of a worker from this one on has begun to come.
  std::uint64_t begun_of(std::uint32_t rank) const;
  /// Pushes are told apart by this: a worker can have several of a sequence where each is of a
  /// piece.
  std::uint64_t key_of(const push_record& push) const;
  job::piece_run pieces_of(const push_record& push) const;
  result<void> check_rank(std::uint32_t rank, std::uint64_t clock) const;
  result<void> check_taken(const push_record& push);
  result<void> check_first_part(const push_record& push) const;
  bool was_taken(const push_record& push) const;
  result<void> complete(const push_record& push, const open_push& whole);
  void count_completed(std::uint32_t rank);
  /// Takes note of pieces that are in the parameters now.
  result<void> learn(const job::piece_run& pieces);
  bool is_learned(const job::piece_run& pieces) const;
  /// Whether everything before a step was trained, and nothing else.
  result<void> check_whole(std::uint64_t until) const;

  record::contract contract_;
  std::uint64_t clock_ = 0; // updates applied, as counted here
  bool behind_ = false;     // the generation began with the step before the shard's
  std::vector<worker_state> workers_;
  std::vector<std::uint64_t> completed_;     // by rank: all pushes of sequences before are applied
  std::map<std::uint64_t, open_push> parts_; // of pushes of former generations, by first piece
  std::unordered_map<std::uint64_t, std::uint64_t> learned_; // a bit for each piece
  std::uint64_t learned_before_ = 0; // pieces that the job did not begin with
  std::uint64_t pieces_learned_ = 0;
  shard_findings found_;
};

} // namespace gradmesh::record
