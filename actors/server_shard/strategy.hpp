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
#include "actors/server_shard/shard_parameters.hpp"

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
};

/// The name of a part of a push, which has been checked against the plan.
push_name name_of(const pushed_part& part, const job::job_plan& plan);

/// A step of a strategy that sums, applied.
struct applied_step {
  std::uint64_t step = 0;
  std::vector<std::uint32_t> ranks; // whose pushes are in it, in the order of the sum
};

class strategy {
public:
  virtual ~strategy() = default;

  /// Updates applied since the job began.
  virtual std::uint64_t clock() const = 0;

  /// Whether a worker that has completed `clock` steps may read now. Once true it stays true.
  virtual bool may_read(std::uint32_t rank, std::uint64_t clock) const = 0;

  /// Takes a part of a push whose sender and layout have been checked. `request` keeps the part's
  /// memory alive. Errors leave everything as it was.
  virtual result<taken_part> take(const message<schema::Push>& request, std::uint32_t rank,
                                  const pushed_part& part) = 0;

  /// Called when the parts of a message have been taken and acknowledged: applies the open step if
  /// it has what it needs.
  virtual result<std::optional<applied_step>> finish_step() {
    return std::optional<applied_step>();
  }
};

/// The strategy that a plan asks for; begins with its first step. `plan` and `parameters` outlive
/// it.
std::unique_ptr<strategy> make_strategy(const job::job_plan& plan, shard_parameters& parameters,
                                        const rule_set& rules);

} // namespace gradmesh::server_shard
