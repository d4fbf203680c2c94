#pragma once

/// Strategies that apply a part of a push when it comes; they differ in when a worker may read. A
/// read may see a part of a push, but never a part of a block or row.
///
/// n workers at an unchanged learning rate act like one with n times the rate (Mitliagkas et al.:
/// "Asynchrony begets momentum", 2016), so each push is applied with the rate of its step divided
/// by the pieces of a step: the workers that the job began with, which each compute one. (When some
/// are lost the others compute theirs, and an example counts as much as before.) Or, with
/// staleness_scaling = inverse, by its staleness: the pushes that were applied since its worker
/// read (Zhang, Gupta, Lian, Liu: "Staleness-aware async-SGD for distributed deep learning", IJCAI
/// 2016). Where batches go to whoever asks, a push is not of a step by its number; then the step is
/// counted by the pieces applied.

#include "actors/server_shard/strategy.hpp"
#include "actors/server_shard/worker_clocks.hpp"

namespace gradmesh::server_shard {

class arriving_pushes : public strategy {
public:
  std::uint64_t clock() const final { return updates_; }
  job::piece_set done() const final { return ledger_.done(); }
  job::piece_set begun() const final;
  result<taken_part> take(const message<schema::Push>& request, std::uint32_t rank,
                          const pushed_part& part) final;
  result<void> repeat(const repeated_change& change) final;
  strategy_state state() const final { return {updates_, ledger_, {}, {}}; }
  void restore(strategy_state state) final;

protected:
  arriving_pushes(const job::job_plan& plan, shard_parameters& parameters, const rule_set& rules);

  const rule_set rules_;
  const std::uint64_t workers_;
  const std::uint64_t pieces_; // of a step
  worker_clocks clocks_;       // where workers take steps by rank

private:
  float rate_of(const pushed_part& part) const;

  shard_parameters& parameters_;
  const parameters::rate_schedule schedule_;
  const bool by_rank_;
  const bool by_staleness_;
  const job::job_plan& plan_;
  const std::uint64_t steps_total_;
  piece_ledger ledger_;
  std::uint64_t updates_ = 0; // whole pushes
};

/// Reads wait for nothing.
class asynchronous final : public arriving_pushes {
public:
  asynchronous(const job::job_plan& plan, shard_parameters& parameters, const rule_set& rules)
      : arriving_pushes(plan, parameters, rules) {}
  bool may_read(std::uint32_t, std::uint64_t) const override { return true; }
};

/// Stale synchronous parallel (Ho et al.: "More effective distributed ML via a stale synchronous
/// parallel parameter server", NIPS 2013): a read at clock c sees every worker's pushes of the
/// steps before c - s, and all of its own before c. The latter may be added by the worker, as in
/// the client cache of the paper; then what it reads has each of its own pushes whole or not at
/// all.
class bounded_staleness final : public arriving_pushes {
public:
  bounded_staleness(const job::job_plan& plan, shard_parameters& parameters, const rule_set& rules);
  bool may_read(std::uint32_t rank, std::uint64_t clock) const override;
  std::optional<std::uint64_t> may_read_ahead(std::uint32_t rank,
                                              std::uint64_t clock) const override;

private:
  const std::uint64_t staleness_;
};

/// Bounded delay (Li et al.: "Scaling distributed machine learning with the parameter server", OSDI
/// 2014). The tasks of a job are its workers' parts of its steps, numbered in the order of the
/// data: task t of M workers is that of worker t % M in step t / M. It reads when all tasks before
/// t - tau are applied. With tau = 0 the job is sequential.
class bounded_delay final : public arriving_pushes {
public:
  bounded_delay(const job::job_plan& plan, shard_parameters& parameters, const rule_set& rules);
  bool may_read(std::uint32_t rank, std::uint64_t clock) const override;

private:
  const std::uint64_t delay_;
};

} // namespace gradmesh::server_shard
