#pragma once

/// Which batch a worker gets with its next lease, for one phase of a job on one data server.
///
/// Training where workers take steps by rank (all strategies but async): worker r gets the parts of
/// the steps that r owns, in order, whoever asks first: as one batch where steps are summed,
/// otherwise piece by piece, so that pushes name the same pieces whatever the number of workers.
/// Otherwise batches go to whoever asks: data server d of D hands out the batches d, d + D,
/// d + 2 D, ... without those that the plan calls done; a batch is one piece of a step.
///
/// A lease asked for again gets the same batch again, so a repeated request loses nothing; the
/// latest `kept_leases_max` of each worker are remembered.

#include "actors/data_server/batch_schedule.hpp"
#include "actors/job/job_plan.hpp"

#include "actors/rules.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace gradmesh::data_server {

enum class pass : std::uint8_t { train, evaluate };

class lease_book {
public:
  /// `index`: of this data server in the plan. `examples`: in the set that is passed over.
  lease_book(const job::job_plan& plan, std::size_t index, pass what, std::uint64_t examples,
             rule_set rules = {});

  /// More than any pipeline asks for ahead.
  static constexpr std::size_t kept_leases_max = 128;

  /// Nothing when the worker has had its last batch here. Errors: `refused` for a lease that is
  /// neither the worker's next nor one of its latest.
  result<std::optional<batch_choice>> lease(std::uint32_t rank, std::uint64_t sequence);

  std::uint64_t leased() const { return leased_; }
  /// Steps of which something has been handed out here, counted from the job's beginning.
  std::uint64_t steps_begun() const;
  /// The step that a worker's next lease is of, if there is one.
  std::uint64_t next_step(std::uint32_t rank) const;
  /// Ends the phase after so many steps of the job, none of which may be behind `steps_begun`.
  void end_after(std::uint64_t steps);

private:
  struct holder {
    std::uint64_t next_sequence = 0;
    std::deque<std::optional<std::uint64_t>> latest; // batches; nothing: exhausted
  };
  /// Batches that a step has for a worker, where they go by rank.
  std::uint64_t batches_of(std::uint32_t rank) const;
  std::optional<batch_choice> choose(std::uint32_t rank, std::uint64_t batch);
  std::optional<std::uint64_t> next_batch(std::uint32_t rank, std::uint64_t sequence);

  job::job_plan plan_;
  rule_set rules_;
  pass pass_;
  std::size_t index_;
  bool by_rank_;
  std::uint32_t pieces_;
  std::uint64_t first_step_;
  std::uint64_t batches_; // where it ends; by rank: steps; otherwise pieces of all steps
  std::uint64_t next_batch_;
  batch_schedule schedule_;
  std::vector<holder> holders_;
  std::uint64_t leased_ = 0;
};

} // namespace gradmesh::data_server
