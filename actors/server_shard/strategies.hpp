#pragma once

/// The consistency strategies of a shard: when a push is applied, when a pull is answered.

#include "actors/server_shard/push_ledger.hpp"
#include "actors/server_shard/shard_job.hpp"

#include <optional>

namespace gradmesh::server_shard {

/// Bulk synchronous: a step is applied when every worker has pushed it whole, as the sum in rank
/// order (parameters/gradient_sum.hpp), so the result does not depend on who was first. A pull for
/// clock c is answered when c steps are applied; it never sees a part of a step.
class bsp_shard final : public shard_job {
public:
  bsp_shard(job::job_plan plan, parameters::parameter_store store,
            std::shared_ptr<mesh::router> router);
  std::size_t waiting_pulls() const override { return waiting_.size(); }

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

  result<void> strategy_pull(const message<schema::Pull>& request) override;
  result<std::uint64_t> strategy_push(const message<schema::Push>& request, std::uint32_t rank,
                                      const pushed_part& part) override;
  result<void> after_push() override;
  result<void> apply_step();
  result<void> apply_blocks(float rate);
  result<void> apply_rows(float rate);
  void answer_waiting();

  std::vector<worker_push> step_; // by rank
  std::vector<message<schema::Pull>> waiting_;
  parameters::gradient_sum sum_;
  std::vector<float> block_sum_;
};

/// Asynchronous: a part of a push is applied when it comes, a pull is answered when it comes; a
/// pull may see a part of a push, but never a part of a block or row. n workers at an unchanged
/// learning rate act like one with n times the rate (Mitliagkas et al. 2016), so each push is
/// applied with the rate divided by the number of workers.
class async_shard final : public shard_job {
public:
  async_shard(job::job_plan plan, parameters::parameter_store store,
              std::shared_ptr<mesh::router> router);
  std::size_t waiting_pulls() const override { return 0; }

private:
  result<void> strategy_pull(const message<schema::Pull>& request) override;
  result<std::uint64_t> strategy_push(const message<schema::Push>& request, std::uint32_t rank,
                                      const pushed_part& part) override;

  std::vector<push_ledger> ledgers_; // by rank
  float learning_rate_;
};

} // namespace gradmesh::server_shard
