#include "actors/server_shard/strategies.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::server_shard {
namespace {

/// A worker asks for a step's parameters in several messages if they are many.
constexpr std::size_t waiting_pulls_per_worker = 64;

} // namespace

bsp_shard::bsp_shard(job::job_plan plan, parameters::parameter_store store,
                     std::shared_ptr<mesh::router> router)
    : shard_job(std::move(plan), std::move(store), std::move(router)), step_(plan_.workers.size()),
      sum_(store_.layout().row_widths()) {}

result<void> bsp_shard::strategy_pull(const message<schema::Pull>& request) {
  if ((*request).getClock() <= counters_.updates) return answer(request);
  if (waiting_.size() >= waiting_pulls_per_worker * step_.size())
    return error{errc::retry_later,
                 std::to_string(waiting_.size()) + " pulls wait for a later step already"};
  waiting_.push_back(request);
  return {};
}

result<std::uint64_t> bsp_shard::strategy_push(const message<schema::Push>& request,
                                               std::uint32_t rank, const pushed_part& part) {
  if (part.sequence > counters_.updates)
    return error{errc::refused, "a push of step " + std::to_string(part.sequence) +
                                    " came while step " + std::to_string(counters_.updates) +
                                    " is open"};
  auto& own = step_[rank];
  const bool is_open = part.sequence == counters_.updates;
  if (is_open && !own.parts.empty() && own.parts.size() != part.count)
    return error{errc::refused, "the push of step " + std::to_string(part.sequence) + " has " +
                                    std::to_string(part.count) + " parts now and had " +
                                    std::to_string(own.parts.size()) + " before"};
  if (!is_open || (!own.parts.empty() && own.parts[part.number])) {
    ++counters_.repeated_parts;
    return 0;
  }
  // The sum over the workers needs the keys, not only where they lead.
  if (!part.what.dense && !part.what.has_keys)
    return error{errc::unknown_keys, "under bsp a push brings its keys"};
  // Checked alone, so that a bad gradient is its sender's error and not the step's.
  if (auto checked = check(rank, part.what, part.values); !checked) return checked.failure();
  if (own.parts.empty()) {
    own.parts.resize(part.count);
    own.missing = part.count;
  }
  own.parts[part.number] = held_part{request, part};
  if (--own.missing == 0) ++counters_.pushes;
  return 0;
}

result<void> bsp_shard::after_push() {
  const bool complete =
      std::all_of(step_.begin(), step_.end(), [](const auto& push) { return push.is_whole(); });
  return complete ? apply_step() : result<void>();
}

result<void> bsp_shard::apply_step() {
  const auto rate = static_cast<float>(plan_.config.optimizer.learning_rate);
  if (auto applied = apply_blocks(rate); !applied) return applied;
  if (auto applied = apply_rows(rate); !applied) return applied;
  ++counters_.updates;
  for (auto& push : step_)
    push = {};
  answer_waiting();
  return {};
}

result<void> bsp_shard::apply_blocks(float rate) {
  std::vector<std::vector<std::span<const float>>> by_block(
      store_.dense_blocks(), std::vector<std::span<const float>>(step_.size()));
  for (std::size_t rank = 0; rank < step_.size(); ++rank)
    for (const auto& held : step_[rank].parts)
      if (const auto& what = held->part.what; what.dense)
        by_block[what.block][rank] = held->part.values;
  for (std::size_t block = 0; block < by_block.size(); ++block) {
    auto& by_rank = by_block[block];
    if (std::ranges::all_of(by_rank, [](const auto& values) { return values.empty(); })) continue;
    auto total = by_rank[0];
    if (by_rank.size() > 1) {
      block_sum_.resize(store_.dense_block_range(block).size());
      if (auto summed = parameters::sum_dense(by_rank, block_sum_); !summed) return summed;
      total = block_sum_;
    }
    if (auto applied = store_.apply_dense(block, total, rate); !applied) return applied;
  }
  return {};
}

result<void> bsp_shard::apply_rows(float rate) {
  // A worker's runs, put together again where there are several.
  struct whole_run {
    std::vector<std::uint64_t> keys;
    std::vector<std::vector<float>> rows; // by table
    std::vector<float> flat;
  };
  const auto& widths = store_.layout().row_widths();
  std::vector<whole_run> joined(step_.size());
  std::vector<parameters::sparse_gradient> by_rank(step_.size());
  for (std::size_t rank = 0; rank < step_.size(); ++rank) {
    std::vector<const pushed_part*> runs;
    for (const auto& held : step_[rank].parts)
      if (!held->part.what.dense) runs.push_back(&held->part);
    if (runs.empty()) continue;
    auto& out = by_rank[rank];
    if (runs.size() == 1) {
      out.keys = runs[0]->what.keys;
      out.rows = runs[0]->values;
      continue;
    }
    auto& whole = joined[rank];
    whole.rows.resize(widths.size());
    for (const auto* run : runs) {
      const auto keys = run->what.keys;
      whole.keys.insert(whole.keys.end(), keys.begin(), keys.end());
      const auto* from = run->values.data();
      for (std::size_t t = 0; t < widths.size(); ++t) {
        whole.rows[t].insert(whole.rows[t].end(), from, from + keys.size() * widths[t]);
        from += keys.size() * widths[t];
      }
    }
    for (const auto& rows : whole.rows)
      whole.flat.insert(whole.flat.end(), rows.begin(), rows.end());
    out.keys = whole.keys;
    out.rows = whole.flat;
  }
  const auto total = sum_.sum_sparse(by_rank);
  if (!total) return total.failure();
  auto rows = store_.resolve(total->keys);
  return rows ? store_.apply_sparse(*rows, total->rows, rate) : rows.failure();
}

void bsp_shard::answer_waiting() {
  std::vector<message<schema::Pull>> still_waiting;
  for (auto& pull : std::exchange(waiting_, {})) {
    if ((*pull).getClock() > counters_.updates)
      still_waiting.push_back(std::move(pull));
    else if (auto answered = answer(pull); !answered)
      refuse(pull, answered.failure());
  }
  waiting_ = std::move(still_waiting);
}

async_shard::async_shard(job::job_plan plan, parameters::parameter_store store,
                         std::shared_ptr<mesh::router> router)
    : shard_job(std::move(plan), std::move(store), std::move(router)),
      ledgers_(plan_.workers.size()),
      learning_rate_(static_cast<float>(plan_.config.optimizer.learning_rate) /
                     static_cast<float>(plan_.workers.size())) {}

result<void> async_shard::strategy_pull(const message<schema::Pull>& request) {
  return answer(request);
}

result<std::uint64_t> async_shard::strategy_push(const message<schema::Push>&, std::uint32_t rank,
                                                 const pushed_part& part) {
  auto& ledger = ledgers_[rank];
  const auto taken_before = ledger.has(part.sequence, part.number, part.count);
  if (!taken_before) return taken_before.failure();
  if (*taken_before) {
    ++counters_.repeated_parts;
    return 0;
  }
  if (part.read_clock > counters_.updates)
    return error{errc::refused, "a push claims to have read clock " +
                                    std::to_string(part.read_clock) + "; the shard is at " +
                                    std::to_string(counters_.updates)};
  if (auto applied = apply(rank, part.what, part.values, learning_rate_); !applied)
    return applied.failure();
  if (!ledger.add(part.sequence, part.number, part.count)) return 0;
  const auto staleness = counters_.updates - part.read_clock;
  ++counters_.updates;
  ++counters_.pushes;
  return staleness;
}

} // namespace gradmesh::server_shard
