#pragma once

/// Bulk synchronous (bsp, and ssp with staleness 0): a step is applied as the sum of the workers'
/// pushes in rank order (parameters/gradient_sum.hpp), so the result does not depend on who was
/// first. A read at clock c waits until c steps are applied; it never sees a part of a step.
///
/// With b backup workers (Chen et al.: "Revisiting distributed synchronous SGD", 2016) a step of M
/// workers is applied with the first M - b pushes that are whole; what comes later is acknowledged
/// and dropped.
///
/// With snapshots (job.svrg_epochs) the steps of some epochs change nothing but what the others are
/// corrected by: snapshot_gradient.hpp.

#include "actors/parameters/gradient_sum.hpp"
#include "actors/server_shard/snapshot_gradient.hpp"
#include "actors/server_shard/strategy.hpp"

namespace gradmesh::server_shard {

class summed_steps final : public strategy {
public:
  summed_steps(const job::job_plan& plan, shard_parameters& parameters, const rule_set& rules);

  std::uint64_t clock() const override { return step_; }
  bool may_read(std::uint32_t rank, std::uint64_t clock) const override;
  result<taken_part> take(const message<schema::Push>& request, std::uint32_t rank,
                          const pushed_part& part) override;
  result<std::optional<applied_step>> finish_step() override;

private:
  struct held_part {
    message<schema::Push> request; // keeps the part's memory alive
    pushed_part part;
  };
  /// What one worker has pushed of the open step, by the number of the part.
  struct worker_push {
    std::vector<std::optional<held_part>> parts;
    std::size_t missing = 0;
    bool is_whole() const { return !parts.empty() && missing == 0; }
  };

  result<taken_part> take_again(std::uint32_t rank, const pushed_part& part, part_fate fate,
                                rule forbids);
  float rate() const; // of the open step
  result<void> apply_blocks(const std::vector<std::uint32_t>& ranks);
  /// The sum of a block over the open step.
  result<void> apply_block(std::size_t block, std::span<const float> sum);
  result<void> apply_rows(const std::vector<std::uint32_t>& ranks);

  const job::job_plan& plan_;
  shard_parameters& parameters_;
  const rule_set rules_;
  const parameters::rate_schedule schedule_;
  const std::uint64_t steps_total_;
  const bool has_backups_;
  std::optional<snapshot_gradient> snapshot_; // SVRG
  const std::size_t pushes_needed_;
  std::uint64_t step_;            // the open one
  std::vector<worker_push> open_; // by rank
  parameters::gradient_sum sum_;
  std::vector<float> block_sum_;
};

} // namespace gradmesh::server_shard
