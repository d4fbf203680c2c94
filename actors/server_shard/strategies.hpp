#pragma once

/// The consistency strategies of a shard: when a push is applied, when a pull is answered.

#include "actors/server_shard/shard_job.hpp"

#include <optional>

namespace gradmesh::server_shard {

/// Bulk synchronous: a step is applied when every worker has pushed it, as the sum in rank order
/// (parameters/gradient_sum.hpp), so the result does not depend on who was first. A pull for clock
/// c is answered when c steps are applied; it never sees a part of a step.
class bsp_shard final : public shard_job {
public:
  bsp_shard(job::job_plan plan, parameters::parameter_store store,
            std::shared_ptr<mesh::router> router);
  std::size_t waiting_pulls() const override { return waiting_.size(); }

private:
  result<void> strategy_pull(const message<schema::Pull>& request) override;
  result<void> strategy_push(const message<schema::Push>& request,
                             const parameters::gradient& change) override;
  result<void> apply_step();

  std::vector<std::optional<message<schema::Push>>> step_; // by rank: the pushes of the open step
  std::size_t arrived_ = 0;
  std::vector<message<schema::Pull>> waiting_;
  parameters::gradient_sum sum_;
};

/// Asynchronous: a push is applied when it comes, a pull is answered when it comes. n workers at an
/// unchanged learning rate act like one with n times the rate (Mitliagkas et al. 2016), so each
/// push is applied with the rate divided by the number of workers.
class async_shard final : public shard_job {
public:
  async_shard(job::job_plan plan, parameters::parameter_store store,
              std::shared_ptr<mesh::router> router);
  std::size_t waiting_pulls() const override { return 0; }

private:
  result<void> strategy_pull(const message<schema::Pull>& request) override;
  result<void> strategy_push(const message<schema::Push>& request,
                             const parameters::gradient& change) override;

  std::vector<std::uint64_t> next_sequence_; // by rank
  float learning_rate_;
};

} // namespace gradmesh::server_shard
