#pragma once

/// Bulk synchronous (bsp, and ssp with staleness 0): a step is applied as the sum of the workers'
/// pushes in rank order (parameters/gradient_sum.hpp), so the result does not depend on who was
/// first. A read at clock c waits until c steps are applied; it never sees a part of a step.
///
/// With b backup workers (Chen et al.: "Revisiting distributed synchronous SGD", 2016) a step of M
/// workers is applied with the first M - b pushes that are whole; what comes later is acknowledged
/// and dropped.
///
/// Until the first push of the next step comes, a shard can still be read as it was before the step
/// that it applied last: previous_version.hpp.
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
  job::piece_set done() const override { return job::piece_set(step_ * plan_.pieces); }
  const previous_version* version_at(std::uint64_t clock) const override;
  const parameters::shared_floats* snapshot_of(std::uint32_t block) const override;
  bool may_read(std::uint32_t rank, std::uint64_t clock) const override;
  result<taken_part> take(const message<schema::Push>& request, std::uint32_t rank,
                          const pushed_part& part) override;
  result<std::optional<applied_step>> finish_step(update_sink* to) override;
  result<void> repeat(const repeated_change& change) override;
  strategy_state state() const override;
  void restore(strategy_state state) override;

private:
  struct held_part {
    message<schema::Push> request; // keeps the part's memory alive
    pushed_part part;
    /// Whoever keeps the values alive.
    std::shared_ptr<const void> owner() const {
      if (part.decoded.owner) return part.decoded.owner;
      return request.frame();
    }
  };
  /// What one worker has pushed of the open step, by the number of the part.
  struct worker_push {
    std::vector<std::optional<held_part>> parts;
    std::size_t missing = 0;
    bool is_whole() const { return !parts.empty() && missing == 0; }
  };

  result<taken_part> take_again(std::uint32_t rank, const pushed_part& part, part_fate fate,
                                rule forbids, bool waits = false);
  float rate() const; // of the open step
  result<void> apply_blocks(const std::vector<std::uint32_t>& ranks, update_sink* to);
  /// The sum of a block, or of rows, over the open step.
  result<void> apply_block(std::uint32_t block, std::span<const float> sum);
  result<void> apply_sum(std::span<const std::uint64_t> keys, std::span<const float> rows);
  result<void> apply_rows(const std::vector<std::uint32_t>& ranks, update_sink* to);
  void close_step();

  const job::job_plan& plan_;
  shard_parameters& parameters_;
  const rule_set rules_;
  const parameters::rate_schedule schedule_;
  const std::uint64_t steps_total_;
  const bool has_backups_;
  std::optional<snapshot_gradient> snapshot_; // SVRG
  const std::size_t pushes_needed_;
  std::uint64_t step_;            // the open one
  bool begins_behind_ = false;    // the workers begin with the step before it
  std::vector<worker_push> open_; // by rank
  previous_version previous_;     // the parameters before the step that was applied last
  parameters::gradient_sum sum_;
  std::vector<float> block_sum_;
};

} // namespace gradmesh::server_shard
