#include "actors/server_shard/summed_steps.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::server_shard {
namespace {

std::size_t pushes_needed(const job::job_plan& plan, const rule_set& rules) {
  const auto all = plan.workers.size() - plan.backup_workers();
  return rules.keeps(rule::step_complete) ? all : std::max<std::size_t>(1, all - 1);
}

} // namespace

summed_steps::summed_steps(const job::job_plan& plan, shard_parameters& parameters,
                           const rule_set& rules)
    : plan_(plan), parameters_(parameters), rules_(rules),
      schedule_(job::rate_schedule_of(plan.config)), steps_total_(plan.steps),
      has_backups_(plan.backup_workers() > 0), pushes_needed_(pushes_needed(plan, rules)),
      step_(plan.first_step), open_(plan.workers.size()),
      sum_(parameters.store().layout().row_widths()) {
  if (plan.config.job.svrg_epochs > 0)
    snapshot_.emplace(plan.steps_per_epoch, parameters.store().dense_blocks());
}

bool summed_steps::may_read(std::uint32_t, std::uint64_t clock) const {
  return clock <= step_ + (rules_.keeps(rule::read_waits) ? 0 : 1);
}

result<taken_part> summed_steps::take(const message<schema::Push>& request, std::uint32_t rank,
                                      const pushed_part& part) {
  if (part.sequence > step_)
    return error{errc::refused, "a push of step " + std::to_string(part.sequence) +
                                    " came while step " + std::to_string(step_) + " is open"};
  if (part.sequence < step_)
    return has_backups_ ? take_again(rank, part, part_fate::late, rule::late_dropped)
                        : take_again(rank, part, part_fate::repeated, rule::push_once);
  auto& own = open_[rank];
  if (!own.parts.empty() && own.parts.size() != part.count)
    return error{errc::refused, "the push of step " + std::to_string(part.sequence) + " has " +
                                    std::to_string(part.count) + " parts now and had " +
                                    std::to_string(own.parts.size()) + " before"};
  if (!own.parts.empty() && own.parts[part.number])
    return take_again(rank, part, part_fate::repeated, rule::push_once);
  // The sum over the workers needs the keys, not only where they lead.
  if (!part.what.dense && !part.what.has_keys)
    return error{errc::unknown_keys, "under bsp a push brings its keys"};
  // Checked alone, so that a bad gradient is its sender's error and not the step's.
  if (auto checked = parameters_.check(rank, part.what, part.values); !checked)
    return checked.failure();
  if (own.parts.empty()) {
    own.parts.resize(part.count);
    own.missing = part.count;
  }
  own.parts[part.number] = held_part{request, part};
  return taken_part{part_fate::held, --own.missing == 0, 0};
}

result<taken_part> summed_steps::take_again(std::uint32_t rank, const pushed_part& part,
                                            part_fate fate, rule forbids) {
  if (rules_.keeps(forbids)) return taken_part{fate, false, 0};
  if (auto applied = parameters_.apply(rank, part.what, part.values, rate()); !applied)
    return applied.failure();
  return taken_part{part_fate::applied, false, 0};
}

result<std::optional<applied_step>> summed_steps::finish_step() {
  applied_step step{step_, {}};
  for (std::uint32_t rank = 0; rank < open_.size(); ++rank)
    if (open_[rank].is_whole()) step.ranks.push_back(rank);
  if (step.ranks.size() < pushes_needed_) return std::optional<applied_step>();
  if (!rules_.keeps(rule::rank_order)) std::ranges::reverse(step.ranks);
  if (auto applied = apply_blocks(step.ranks); !applied) return applied.failure();
  if (auto applied = apply_rows(step.ranks); !applied) return applied.failure();
  ++step_;
  for (auto& push : open_)
    push = {};
  return std::optional(std::move(step));
}

float summed_steps::rate() const {
  return static_cast<float>(parameters::rate_at(schedule_, step_, steps_total_));
}

result<void> summed_steps::apply_blocks(const std::vector<std::uint32_t>& ranks) {
  auto& store = parameters_.store();
  std::vector<std::vector<std::span<const float>>> by_block(
      store.dense_blocks(), std::vector<std::span<const float>>(ranks.size()));
  for (std::size_t i = 0; i < ranks.size(); ++i)
    for (const auto& held : open_[ranks[i]].parts)
      if (const auto& what = held->part.what; what.dense)
        by_block[what.block][i] = held->part.values;
  for (std::size_t block = 0; block < by_block.size(); ++block) {
    auto& addends = by_block[block];
    if (std::ranges::all_of(addends, [](const auto& values) { return values.empty(); })) continue;
    auto total = addends[0];
    if (addends.size() > 1) {
      block_sum_.resize(store.dense_block_range(block).size());
      if (auto summed = parameters::sum_dense(addends, block_sum_); !summed) return summed;
      total = block_sum_;
    }
    if (auto applied = apply_block(block, total); !applied) return applied;
  }
  return {};
}

result<void> summed_steps::apply_block(std::size_t block, std::span<const float> sum) {
  if (plan_.takes_snapshot(step_)) {
    snapshot_->add(step_, block, sum);
    return {};
  }
  if (snapshot_ && rules_.keeps(rule::snapshot_added)) sum = snapshot_->corrected(block, sum);
  return parameters_.store().apply_dense(block, sum, rate());
}

result<void> summed_steps::apply_rows(const std::vector<std::uint32_t>& ranks) {
  // A worker's runs, put together again where there are several.
  struct whole_run {
    std::vector<std::uint64_t> keys;
    std::vector<std::vector<float>> rows; // by table
    std::vector<float> flat;
  };
  auto& store = parameters_.store();
  const auto& widths = store.layout().row_widths();
  std::vector<whole_run> joined(ranks.size());
  std::vector<parameters::sparse_gradient> addends(ranks.size());
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    std::vector<const pushed_part*> runs;
    for (const auto& held : open_[ranks[i]].parts)
      if (!held->part.what.dense) runs.push_back(&held->part);
    if (runs.empty()) continue;
    auto& out = addends[i];
    if (runs.size() == 1) {
      out.keys = runs[0]->what.keys;
      out.rows = runs[0]->values;
      continue;
    }
    auto& whole = joined[i];
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
  const auto total = sum_.sum_sparse(addends);
  if (!total) return total.failure();
  auto rows = store.resolve(total->keys);
  return rows ? store.apply_sparse(*rows, total->rows, rate()) : rows.failure();
}

} // namespace gradmesh::server_shard
