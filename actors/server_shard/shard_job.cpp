#include "actors/server_shard/shard_job.hpp"

#include "actors/job/partition_body.hpp"
#include "actors/record/fingerprints.hpp"

#include <string>

namespace gradmesh::server_shard {

shard_job::shard_job(job::job_plan plan, std::size_t index, parameters::parameter_store store,
                     std::shared_ptr<mesh::router> router, const rule_set& rules)
    : plan_(std::move(plan)), index_(index), router_(std::move(router)), rules_(rules),
      parameters_(std::move(store), plan_.workers.size()),
      strategy_(make_strategy(plan_, parameters_, rules_)), layout_(plan_.layout.number) {}

result<std::unique_ptr<shard_job>> shard_job::make(job::job_plan plan, std::size_t index,
                                                   std::shared_ptr<mesh::router> router,
                                                   const rule_set& rules,
                                                   const parameters::rule_registry& update_rules) {
  auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  auto store = parameters::parameter_store::make(
      plan.tables, std::move(*map), static_cast<std::uint32_t>(index),
      job::optimizer_options_of(plan), plan.config.job.seed, update_rules);
  if (!store) return store.failure();
  return std::unique_ptr<shard_job>(
      new shard_job(std::move(plan), index, std::move(*store), std::move(router), rules));
}

result<void> shard_job::change(job::job_plan plan) {
  if (plan.tables != plan_.tables || plan.partitions != plan_.partitions ||
      plan.layout.size() != plan_.layout.size())
    return error{errc::refused, "revision " + std::to_string(plan.revision) + " of job " +
                                    std::to_string(plan.job_id) +
                                    " has other tables, partitions or shards"};
  refuse_waiting({errc::cancelled, "the job's plan has changed"});
  of_open_step_.clear();
  open_step_acknowledged_ = false;
  if (backup_) backup_->step_is_applied();
  // With the options that it has, the job goes on with another generation of workers.
  const bool goes_on = config::dump_job(plan.config) == config::dump_job(plan_.config);
  auto state = strategy_->state();
  plan_ = std::move(plan);
  parameters_.change_workers(plan_.workers.size());
  strategy_ = make_strategy(plan_, parameters_, rules_);
  if (goes_on) strategy_->restore(std::move(state));
  return {};
}

void shard_job::set_layout(std::uint64_t number) {
  if (number == layout_) return;
  refuse_waiting({errc::stale_layout, "layout " + std::to_string(layout_) + " of job " +
                                          std::to_string(plan_.job_id) + " has given way to " +
                                          std::to_string(number)});
  layout_ = number;
}

void shard_job::set_backup(replication* backup) {
  backup_ = backup;
  // A push that was acknowledged and is held is in no image.
  if (backup_ && open_step_acknowledged_) backup_->wait_for_step();
  parameters_.keep_keys(backup != nullptr);
  acknowledge_replicated();
}

void shard_job::drop_acknowledgements() {
  of_open_step_.clear();
  of_changes_.clear();
  set_backup(nullptr);
}

result<void> shard_job::repeat(std::span<const message<schema::Replicate>> change) {
  repeated_change whole;
  for (const auto& message : change)
    if (auto read = read_change(message, parameters_.store(), whole); !read) return read;
  if (!whole.block)
    for (const auto& part : whole.parts)
      if (auto fits = parameters_.check(0, part.what, part.values); !fits) return fits;
  return strategy_->repeat(whole);
}

template <class Request>
result<void> shard_job::check_request(const message<Request>& request) const {
  const auto in = *request;
  if (in.getJobId() != plan_.job_id)
    return error{errc::refused, "this shard works on job " + std::to_string(plan_.job_id) +
                                    ", not on job " + std::to_string(in.getJobId())};
  if (in.getLayout() != layout_ && rules_.keeps(rule::fencing))
    return error{errc::stale_layout, "the request is for layout " + std::to_string(in.getLayout()) +
                                         " of job " + std::to_string(plan_.job_id) +
                                         ", this shard is in " + std::to_string(layout_)};
  if (in.getShard() != index_)
    return error{errc::refused, "this is shard " + std::to_string(index_) + " of job " +
                                    std::to_string(plan_.job_id) + ", not shard " +
                                    std::to_string(in.getShard())};
  const auto rank = in.getRank();
  if (rank >= plan_.workers.size() || plan_.workers[rank].where != request.sender())
    return error{errc::refused, "node " + mesh::short_name(request.sender().node) +
                                    " is not worker " + std::to_string(rank) + " of job " +
                                    std::to_string(plan_.job_id)};
  return {};
}

template result<void> shard_job::check_request(const message<schema::Pull>&) const;

result<void> shard_job::check_step(std::uint64_t step) const {
  if (!plan_.by_rank() || step < plan_.steps) return {};
  return error{errc::refused, "there is no step " + std::to_string(step) + " in a job of " +
                                  std::to_string(plan_.steps) + " steps"};
}

result<void> shard_job::check_batch(std::uint32_t rank, const pushed_part& part) const {
  const auto named = [&] {
    return "a push of the pieces " + std::to_string(part.first_piece) + " to below " +
           std::to_string(std::uint64_t{part.first_piece} + part.pieces) + " of step " +
           std::to_string(part.step);
  };
  if (part.step >= plan_.steps || part.pieces == 0 || part.pieces > plan_.pieces ||
      part.first_piece > plan_.pieces - part.pieces)
    return error{errc::refused, named() + " in a job of " + std::to_string(plan_.steps) +
                                    " steps of " + std::to_string(plan_.pieces) + " pieces"};
  if (!plan_.by_rank()) return {};
  const auto share = job::pieces_of_worker(plan_, rank);
  const auto last = part.first_piece + part.pieces;
  const bool own = plan_.sums_steps()
                       ? part.first_piece == share.first && last == share.last
                       : part.first_piece >= share.first && last <= share.last && part.pieces == 1;
  if (part.step == part.sequence && own) return {};
  return error{errc::refused, named() + " as push " + std::to_string(part.sequence) +
                                  " by worker " + std::to_string(rank) + ", whose pieces are " +
                                  std::to_string(share.first) + " to below " +
                                  std::to_string(share.last)};
}

result<void> shard_job::push(const message<schema::Push>& request) {
  if (passes_cut(request)) {
    auto taken = take_push(request);
    advance_cut();
    return taken;
  }
  if (auto known = check_request(request); !known) return known;
  return park(request);
}

result<void> shard_job::take_push(const message<schema::Push>& request) {
  if (backup_ && backup_->is_full())
    return error{errc::retry_later, std::to_string(backup_->waiting_bytes()) +
                                        " bytes wait for the backup of shard " +
                                        std::to_string(index_) + " already"};
  taken_parts taken;
  const auto done = take_parts(request, taken);
  if (!taken.staleness.empty()) {
    held_ack ack{request.header(), std::move(taken.staleness), 0};
    open_step_acknowledged_ = open_step_acknowledged_ || (taken.wait && !backup_);
    if (taken.wait && backup_)
      of_open_step_.push_back(std::move(ack));
    else
      acknowledge_applied(std::move(ack));
  }
  if (!done) {
    ++counters_.refused;
    return done;
  }
  auto finished = strategy_->finish_step(backup_);
  if (!finished) return finished.failure();
  if (*finished) {
    counters_.dropped_pushes += plan_.workers.size() - (*finished)->ranks.size();
    if (sink_) sink_->add(record::step_record{(*finished)->step, (*finished)->ranks});
    open_step_acknowledged_ = false;
    if (backup_) backup_->step_is_applied();
    for (auto& ack : std::exchange(of_open_step_, {}))
      acknowledge_applied(std::move(ack));
  }
  if (backup_) backup_->send_more();
  if (!waiting_.empty()) answer_waiting();
  return {};
}

result<void> shard_job::take_parts(const message<schema::Push>& request, taken_parts& taken) {
  const auto push = *request;
  if (auto known = check_request(request); !known) return known;
  auto parts =
      read_parts(request, parameters_.store(), job::transfer_format_of(plan_.config.job.push_as));
  if (!parts) return parts.failure();
  for (auto& part : *parts) {
    if (auto known = check_batch(push.getRank(), part); !known) return known;
    if (took_over_) part.read_clock = std::min(part.read_clock, strategy_->clock());
  }
  // All or none of a message's parts. (A single one is checked when it is applied.)
  if (parts->size() > 1)
    for (const auto& part : *parts)
      if (auto checked = parameters_.check(push.getRank(), part.what, part.values); !checked)
        return checked;
  return take_checked(request, *parts, taken);
}

result<void> shard_job::take_checked(const message<schema::Push>& request,
                                     const std::vector<pushed_part>& parts, taken_parts& taken) {
  const auto rank = (*request).getRank();
  std::vector<applied_part> applied;
  result<void> done;
  taken.staleness.reserve(parts.size());
  for (const auto& part : parts) {
    const auto clock = strategy_->clock();
    const auto one = strategy_->take(request, rank, part);
    if (!one) {
      done = one.failure();
      break;
    }
    count(*one);
    if (sink_) tell_push(rank, part, clock, *one);
    taken.staleness.push_back(one->staleness);
    taken.wait = taken.wait || one->waits;
    if (backup_ && one->fate == part_fate::applied) applied.push_back({&part, one->rate});
  }
  if (!applied.empty()) backup_->pushed(request, rank, applied);
  return done;
}

void shard_job::acknowledge_applied(held_ack ack) {
  if (backup_ && !backup_->has(backup_->last())) {
    ack.change = backup_->last();
    of_changes_.push_back(std::move(ack));
  } else {
    acknowledge(ack);
  }
}

void shard_job::acknowledge_replicated() {
  while (!of_changes_.empty() && (!backup_ || backup_->has(of_changes_.front().change))) {
    acknowledge(of_changes_.front());
    of_changes_.pop_front();
  }
  if (!waiting_.empty()) answer_waiting();
}

void shard_job::count(const taken_part& taken) {
  if (taken.fate == part_fate::repeated) ++counters_.repeated_parts;
  if (taken.fate == part_fate::late) ++counters_.late_parts;
  if (taken.completes_push) ++counters_.pushes;
}

void shard_job::tell_push(std::uint32_t rank, const pushed_part& part, std::uint64_t clock,
                          const taken_part& taken) {
  const auto what = [&] {
    switch (taken.fate) {
    case part_fate::applied:
      return record::outcome::applied;
    case part_fate::held:
      return record::outcome::held;
    case part_fate::late:
      return record::outcome::late;
    case part_fate::repeated:
      break;
    }
    return record::outcome::repeated;
  }();
  sink_->add(record::push_record{.what = what,
                                 .rank = rank,
                                 .sequence = part.sequence,
                                 .part = part.number,
                                 .count = part.count,
                                 .read_clock = part.read_clock,
                                 .clock = clock,
                                 .staleness = taken.staleness,
                                 .step = part.step,
                                 .first_piece = part.first_piece,
                                 .pieces = part.pieces,
                                 .own_steps = part.own_steps,
                                 .sample = record::sample_of(std::as_bytes(part.values))});
}

void shard_job::end_record(record::ending how) {
  if (!sink_) return;
  sink_->end({.how = how,
              .pulls = counters_.pulls,
              .pushes = counters_.pushes,
              .updates = strategy_->clock(),
              .repeated_parts = counters_.repeated_parts,
              .refused = counters_.refused});
  sink_.reset();
}

void shard_job::acknowledge(const held_ack& ack) {
  mesh::draft<schema::Pushed> pushed;
  pushed->setJobId(plan_.job_id);
  const auto count = static_cast<unsigned>(ack.staleness.size());
  auto numbers = pushed->initParts(count);
  auto stale = pushed->initStaleness(count);
  for (unsigned i = 0; i < count; ++i) {
    numbers.set(i, i);
    stale.set(i, ack.staleness[i]);
  }
  (void)router_->reply_to(ack.request, pushed);
}

result<void> shard_job::export_partition(const message<schema::ExportPartition>& request) {
  if ((*request).getJobId() != plan_.job_id)
    return error{errc::refused, "this shard works on job " + std::to_string(plan_.job_id)};
  auto content = parameters_.store().export_partition((*request).getPartition());
  if (!content) return content.failure();
  if (sink_) sink_->add(record::export_record{content->partition, record::hash_of(*content)});
  auto answer = job::encode_partition(plan_.job_id, *content);
  if (!answer) return answer.failure();
  (void)router_->reply(request, *answer);
  return {};
}

} // namespace gradmesh::server_shard
