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

const previous_version* summed_steps::version_at(std::uint64_t clock) const {
  // With backup workers a step goes without those that are behind; they read what there is.
  const bool kept = begins_behind_ && previous_.clock() == clock && clock < step_ && !has_backups_;
  return kept && rules_.keeps(rule::two_versions) ? &previous_ : nullptr;
}

const parameters::shared_floats* summed_steps::snapshot_of(std::uint32_t block) const {
  if (!snapshot_ || snapshot_->blocks()[block].mean.empty()) return nullptr;
  return &snapshot_->blocks()[block].values;
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
    return take_again(rank, part, part_fate::repeated, rule::push_once, true);
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
  // Who pushes this step has read it from all shards, so that all have applied the one before.
  previous_.forget();
  begins_behind_ = false;
  own.parts[part.number] = held_part{request, part};
  return taken_part{part_fate::held, --own.missing == 0, 0, true};
}

result<taken_part> summed_steps::take_again(std::uint32_t rank, const pushed_part& part,
                                            part_fate fate, rule forbids, bool waits) {
  if (rules_.keeps(forbids)) return taken_part{fate, false, 0, waits};
  if (auto applied = parameters_.apply(rank, part.what, part.values, rate()); !applied)
    return applied.failure();
  return taken_part{part_fate::applied, false, 0};
}

result<std::optional<applied_step>> summed_steps::finish_step(update_sink* to) {
  applied_step step{step_, {}};
  for (std::uint32_t rank = 0; rank < open_.size(); ++rank)
    if (open_[rank].is_whole()) step.ranks.push_back(rank);
  if (step.ranks.size() < pushes_needed_) return std::optional<applied_step>();
  if (!rules_.keeps(rule::rank_order)) std::ranges::reverse(step.ranks);
  previous_.begin(step_);
  if (auto applied = apply_blocks(step.ranks, to); !applied) return applied.failure();
  if (auto applied = apply_rows(step.ranks, to); !applied) return applied.failure();
  if (to) to->applied(step);
  close_step();
  return std::optional(std::move(step));
}

void summed_steps::close_step() {
  ++step_;
  for (auto& push : open_)
    push = {};
}

result<void> summed_steps::repeat(const repeated_change& change) {
  if (change.step != step_)
    return error{errc::refused, change.step
                                    ? "the sums of step " + std::to_string(*change.step) +
                                          " came while step " + std::to_string(step_) + " is open"
                                    : "a push came that is not summed"};
  previous_.begin(step_);
  for (const auto& part : change.parts) {
    auto applied = part.what.dense ? apply_block(part.what.block, part.values)
                                   : apply_sum(part.what.keys, part.values);
    if (!applied) return applied;
  }
  close_step();
  return {};
}

strategy_state summed_steps::state() const {
  strategy_state state;
  state.clock = step_;
  if (snapshot_) state.snapshot = snapshot_->blocks();
  state.previous = previous_;
  return state;
}

void summed_steps::restore(strategy_state state) {
  step_ = state.clock;
  if (snapshot_ && !state.snapshot.empty()) snapshot_->restore(std::move(state.snapshot));
  previous_ = std::move(state.previous);
  begins_behind_ = step_ == plan_.first_step + 1;
  open_.assign(plan_.workers.size(), {});
}

float summed_steps::rate() const {
  return static_cast<float>(parameters::rate_at(schedule_, step_, steps_total_));
}

result<void> summed_steps::apply_blocks(const std::vector<std::uint32_t>& ranks, update_sink* to) {
  auto& store = parameters_.store();
  std::vector<std::vector<const held_part*>> by_block(store.dense_blocks(),
                                                      std::vector<const held_part*>(ranks.size()));
  for (std::size_t i = 0; i < ranks.size(); ++i)
    for (const auto& held : open_[ranks[i]].parts)
      if (const auto& what = held->part.what; what.dense) by_block[what.block][i] = &*held;
  std::vector<std::span<const float>> addends(ranks.size());
  for (std::uint32_t block = 0; block < by_block.size(); ++block) {
    const auto& held = by_block[block];
    std::ranges::transform(held, addends.begin(), [](const held_part* part) {
      return part ? part->part.values : std::span<const float>();
    });
    if (std::ranges::all_of(addends, [](const auto& values) { return values.empty(); })) continue;
    auto total = addends[0];
    std::shared_ptr<const void> owner;
    if (addends.size() > 1) {
      // Where it goes on to a backup the sum is made in the memory that is sent.
      const auto floats = store.dense_block_range(block).size();
      std::span<float> room;
      if (to) {
        const auto body = mesh::allocate_body(floats * sizeof(float));
        room = body.as<float>(0, floats);
        owner = body.owner;
      } else {
        block_sum_.resize(floats);
        room = block_sum_;
      }
      if (auto summed = parameters::sum_dense(addends, room); !summed) return summed;
      total = room;
    } else {
      owner = held[0]->owner();
    }
    if (auto applied = apply_block(block, total); !applied) return applied;
    if (to) to->summed(block, {std::move(owner), std::as_bytes(total)});
  }
  return {};
}

result<void> summed_steps::apply_block(std::uint32_t block, std::span<const float> sum) {
  if (plan_.takes_snapshot(step_)) {
    snapshot_->add(step_, block, sum, parameters_.store().dense_block(block));
    return {};
  }
  if (snapshot_ && rules_.keeps(rule::snapshot_added)) sum = snapshot_->corrected(block, sum);
  previous_.keep(block, parameters_.store().dense_block(block));
  return parameters_.store().apply_dense(block, sum, rate());
}

result<void> summed_steps::apply_sum(std::span<const std::uint64_t> keys,
                                     std::span<const float> rows) {
  auto& store = parameters_.store();
  if (auto kept = previous_.keep(keys, store); !kept) return kept;
  auto found = store.resolve(keys);
  return found ? store.apply_sparse(*found, rows, rate()) : found.failure();
}

result<void> summed_steps::apply_rows(const std::vector<std::uint32_t>& ranks, update_sink* to) {
  // A worker's runs, put together again where there are several.
  struct whole_run {
    std::vector<std::uint64_t> keys;
    std::vector<std::vector<float>> rows; // by table
    std::vector<float> flat;
  };
  const auto& widths = parameters_.store().layout().row_widths();
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
  if (total->keys.empty()) return {};
  if (auto applied = apply_sum(total->keys, total->rows); !applied) return applied;
  if (to) to->summed(total->keys, total->rows);
  return {};
}

} // namespace gradmesh::server_shard
