#include "actors/server_shard/job_replicas.hpp"

#include <fmt/format.h>

namespace gradmesh::server_shard {
namespace {

bool names(const job::shard_replicas& places, const mesh::address& who) {
  return places.primary.where == who || (places.backup && places.backup->where == who);
}

} // namespace

result<std::unique_ptr<job_replicas>> job_replicas::make(const job::job_plan& plan,
                                                         const replica_host& host,
                                                         const mesh::address& coordinator) {
  auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  std::unique_ptr<job_replicas> made(new job_replicas(plan, std::move(*map), host));
  for (std::uint32_t shard = 0; shard < plan.layout.size(); ++shard) {
    if (!names(plan.layout.shards[shard], host.address())) continue;
    auto one = replica::make(plan, shard, host, coordinator, plan.begins);
    if (!one) return one.failure();
    made->replicas_.emplace(shard, std::move(*one));
  }
  if (made->replicas_.empty())
    return error{errc::refused, fmt::format("the plan of job {} does not name {}", plan.job_id,
                                            to_string(host.service))};
  return made;
}

result<void> job_replicas::change(job::job_plan plan, const mesh::address& coordinator) {
  if (plan.layout.number > plan_.layout.number)
    if (auto taken = apply(plan.layout, coordinator); !taken) return taken;
  plan.layout = plan_.layout;
  for (const auto& [shard, one] : replicas_)
    if (auto changed = one->change(plan); !changed) return changed;
  plan_ = std::move(plan);
  return {};
}

result<void> job_replicas::take(const message<schema::Layout>& m) {
  auto layout = job::decode(*m);
  if (!layout) return layout.failure();
  if ((*m).getJobId() != plan_.job_id)
    return error{errc::refused, fmt::format("layout {} is of job {}, this host works on job {}",
                                            layout->number, (*m).getJobId(), plan_.job_id)};
  if (layout->number < plan_.layout.number) return {};
  if (layout->number > plan_.layout.number)
    if (auto taken = apply(*layout, m.sender()); !taken) return taken;
  unanswered_ = m;
  answer_layout();
  return {};
}

void job_replicas::answer_layout() {
  const auto replicated = [&](const auto& entry) {
    return entry.second->is_replicated() || !host_.rules.keeps(rule::progress_replicated);
  };
  if (!unanswered_ || !std::ranges::all_of(replicas_, replicated)) return;
  (void)host_.router->reply(*std::exchange(unanswered_, std::nullopt), progress());
}

result<void> job_replicas::replicated(replica& by, const message<schema::Replicated>& answer) {
  auto noted = by.replicated(answer);
  answer_layout();
  return noted;
}

result<void> job_replicas::apply(const job::shard_layout& layout,
                                 const mesh::address& coordinator) {
  if (layout.size() != plan_.layout.size())
    return error{errc::refused,
                 fmt::format("layout {} of job {} has {} shards; the job has {}", layout.number,
                             plan_.job_id, layout.size(), plan_.layout.size())};
  auto plan = plan_;
  plan.layout = layout;
  // All or nothing: what is new is made, what is there is asked, before anything changes.
  std::map<std::uint32_t, std::unique_ptr<replica>> fresh;
  for (std::uint32_t shard = 0; shard < layout.size(); ++shard) {
    if (!names(layout.shards[shard], host_.address())) continue;
    if (const auto found = replicas_.find(shard); found != replicas_.end()) {
      if (auto fits = found->second->check(layout); !fits) return fits;
      continue;
    }
    auto one = replica::make(plan, shard, host_, coordinator, false);
    if (!one) return one.failure();
    fresh.emplace(shard, std::move(*one));
  }
  plan_ = std::move(plan);
  unanswered_.reset();
  for (const auto& [shard, one] : replicas_)
    if (layout.primary(shard).where != host_.address())
      one->job().end_record(record::ending::moved);
  std::erase_if(replicas_, [&](const auto& entry) {
    return !names(layout.shards[entry.first], host_.address());
  });
  for (const auto& [shard, one] : replicas_)
    if (auto done = one->become(layout, coordinator); !done) return done;
  replicas_.merge(fresh);
  return {};
}

mesh::draft<schema::LayoutTaken> job_replicas::progress() const {
  mesh::draft<schema::LayoutTaken> taken;
  taken->setJobId(plan_.job_id);
  taken->setNumber(plan_.layout.number);
  const auto primaries = std::ranges::count_if(
      replicas_, [](const auto& entry) { return entry.second->is_primary(); });
  auto list = taken->initProgress(static_cast<unsigned>(primaries));
  unsigned i = 0;
  for (const auto& [shard, one] : replicas_) {
    if (!one->is_primary()) continue;
    list[i].setShard(shard);
    list[i].setClock(one->job().clock());
    encode(one->job().done(), list[i].initDone());
    ++i;
  }
  return taken;
}

result<replica*> job_replicas::find(std::uint32_t shard, std::uint64_t layout) const {
  const auto found = replicas_.find(shard);
  if (found != replicas_.end()) return found->second.get();
  if (layout != plan_.layout.number)
    return error{errc::stale_layout, fmt::format("a message is for layout {} of job {}, this host "
                                                 "is in {} and has nothing of shard {}",
                                                 layout, plan_.job_id, plan_.layout.number, shard)};
  return error{errc::refused, fmt::format("layout {} of job {} has no replica of shard {} here",
                                          layout, plan_.job_id, shard)};
}

result<replica*> job_replicas::owner_of(std::uint32_t partition) const {
  if (partition < map_.partitions())
    if (const auto found = replicas_.find(map_.owner(partition));
        found != replicas_.end() && found->second->is_primary())
      return found->second.get();
  return error{errc::refused, fmt::format("partition {} of job {} is not of a primary here",
                                          partition, plan_.job_id)};
}

result<void> job_replicas::make_checkpoint(const message<schema::CheckpointStage>& m,
                                           env::time_point now) {
  const auto in = *m;
  if (in.getJobId() != plan_.job_id || in.getLayout() != plan_.layout.number) return {};
  const auto what = in.getStage();
  auto pieces =
      what.isCut() ? job::decode(what.getCut()) : result<job::piece_set>(job::piece_set());
  if (!pieces) return pieces.failure();
  const auto until = now + std::chrono::duration_cast<env::time_point::duration>(
                               std::chrono::duration<float>(in.getHoldSeconds()));
  std::vector<std::pair<std::uint32_t, job::piece_set>> held;
  for (const auto& [shard, one] : replicas_) {
    if (!one->is_primary()) continue;
    auto& job = one->job();
    job.set_time(now);
    const checkpoint_cut::ticket ticket{in.getTicket(), plan_.job_id, shard,
                                        host_.service,  m.sender(),   until};
    if (what.isCut()) job.cut(ticket, *pieces);
    if (what.isOver()) job.end_cut(ticket.number);
    if (!what.isHold()) continue;
    if (auto begun = job.hold_pushes(ticket)) held.emplace_back(shard, *std::move(begun));
  }
  if (held.empty()) return {};
  mesh::draft<schema::PushesHeld> answer;
  answer->setJobId(plan_.job_id);
  answer->setTicket(in.getTicket());
  auto list = answer->initShards(static_cast<unsigned>(held.size()));
  for (unsigned i = 0; i < held.size(); ++i) {
    list[i].setShard(held[i].first);
    encode(held[i].second, list[i].initDone());
  }
  (void)host_.router->reply(m, answer);
  return {};
}

void job_replicas::pause(const mesh::address& backup) {
  for (const auto& [shard, one] : replicas_)
    if (one->backup() && one->backup()->backup() == backup) one->backup()->pause();
}

void job_replicas::resume() {
  for (const auto& [shard, one] : replicas_)
    if (one->backup()) one->backup()->resume();
}

void job_replicas::link_lost(const mesh::node_uuid& node) {
  for (const auto& [shard, one] : replicas_)
    if (one->backup() && one->backup()->backup().node == node) one->backup()->rewind();
}

void job_replicas::answer_primaries() {
  for (const auto& [shard, one] : replicas_)
    one->answer_primary();
}

void job_replicas::tick(env::time_point now) {
  for (const auto& [shard, one] : replicas_)
    one->tick(now);
}

} // namespace gradmesh::server_shard
