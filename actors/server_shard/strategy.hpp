#pragma once

/// The consistency of a job on one shard: when a push is applied, and when the parameters may be
/// read. A strategy is plain code, used by its shard actor alone; it holds no messages but the
/// pushes that it has not applied yet, and parks no pulls (shard_job does).
///
/// The strategies and their guarantees are documented where users choose them (job.strategy in
/// config/job_config.cpp), the clocks in schema/parameters.capnp.

#include "actors/job/job_plan.hpp"
#include "actors/rules.hpp"
#include "actors/server_shard/parameter_request.hpp"
#include "actors/server_shard/piece_ledger.hpp"
#include "actors/server_shard/previous_version.hpp"
#include "actors/server_shard/shard_parameters.hpp"
#include "actors/server_shard/snapshot_gradient.hpp"
#include "actors/server_shard/update_sink.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace gradmesh::server_shard {

using mesh::message;

/// What became of a part of a push. `repeated`: it was taken before. `late`: its step was applied
/// without it (backup workers).
enum class part_fate : std::uint8_t { applied, held, repeated, late };

struct taken_part {
  part_fate fate = part_fate::applied;
  bool completes_push = false;
  std::uint64_t staleness = 0; // updates applied between the read and this push, when it completes
  bool waits = false;          // what it is part of will be applied with the open step
  float rate = 0;              // at which it was applied
};

/// The name of a part of a push, which has been checked against the plan.
push_name name_of(const pushed_part& part, const job::job_plan& plan);

/// What a strategy knows beside the parameters, and what a copy of the shard has to know too.
struct strategy_state {
  std::uint64_t clock = 0;
  piece_ledger ledger;                  // of pushes that are applied as they come
  std::vector<block_snapshot> snapshot; // SVRG: by block
  previous_version previous;            // of strategies that sum
};

class strategy {
public:
  virtual ~strategy() = default;

  /// Updates applied since the job began.
  virtual std::uint64_t clock() const = 0;
  /// Pieces whose pushes are applied whole.
  virtual job::piece_set done() const = 0;
  /// These, and pieces whose pushes are applied in part.
  virtual job::piece_set begun() const { return done(); }

  /// Whether a worker that has completed `clock` steps may read now. Once true it stays true.
  virtual bool may_read(std::uint32_t rank, std::uint64_t clock) const = 0;
  /// The same for a worker that adds its own pushes to what it reads, and so needs not wait for
  /// them: the first of its steps that it has to add, if it may read now. (A moment later it may
  /// have to wait until a push of its own is applied whole.)
  virtual std::optional<std::uint64_t> may_read_ahead(std::uint32_t, std::uint64_t) const {
    return std::nullopt;
  }
  /// What a read at a clock is answered from, if that is not the parameters as they are.
  virtual const previous_version* version_at(std::uint64_t) const { return nullptr; }
  /// A block as it was at the latest snapshot (SVRG); null: there was none.
  virtual const parameters::shared_floats* snapshot_of(std::uint32_t) const { return nullptr; }

  /// Takes a part of a push whose sender and layout have been checked. `request` keeps the part's
  /// memory alive. Errors leave everything as it was.
  virtual result<taken_part> take(const message<schema::Push>& request, std::uint32_t rank,
                                  const pushed_part& part) = 0;

  /// Called when the parts of a message have been taken: applies the open step if it has what it
  /// needs, and tells `to` (if there is one).
  virtual result<std::optional<applied_step>> finish_step(update_sink*) {
    return std::optional<applied_step>();
  }

  /// Does what the strategy of another copy of the shard did, with the same parts.
  virtual result<void> repeat(const repeated_change& change) = 0;

  virtual strategy_state state() const = 0;
  /// Takes the place of what it knew; pushes that are not applied are forgotten.
  virtual void restore(strategy_state state) = 0;
};

/// The strategy that a plan asks for; begins with its first step. `plan` and `parameters` outlive
/// it.
std::unique_ptr<strategy> make_strategy(const job::job_plan& plan, shard_parameters& parameters,
                                        const rule_set& rules);

} // namespace gradmesh::server_shard
