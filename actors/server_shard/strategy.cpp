#include "actors/server_shard/strategy.hpp"

#include "actors/server_shard/arriving_pushes.hpp"
#include "actors/server_shard/summed_steps.hpp"

namespace gradmesh::server_shard {

push_name name_of(const pushed_part& part, const job::job_plan& plan) {
  const auto step = part.step * plan.pieces;
  return {
      {step + part.first_piece, step + part.first_piece + part.pieces}, part.number, part.count};
}

std::unique_ptr<strategy> make_strategy(const job::job_plan& plan, shard_parameters& parameters,
                                        const rule_set& rules) {
  if (plan.sums_steps()) return std::make_unique<summed_steps>(plan, parameters, rules);
  const auto& job = plan.config.job;
  switch (job.strategy) {
  case config::strategy::ssp:
    return std::make_unique<bounded_staleness>(plan, parameters, rules);
  case config::strategy::bounded_delay:
    return std::make_unique<bounded_delay>(plan, parameters, rules);
  case config::strategy::bsp:
  case config::strategy::async:
    break;
  }
  return std::make_unique<asynchronous>(plan, parameters, rules);
}

} // namespace gradmesh::server_shard
