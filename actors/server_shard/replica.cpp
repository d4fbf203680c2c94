#include "actors/server_shard/replica.hpp"

#include <fmt/format.h>

namespace gradmesh::server_shard {
namespace {

result<std::unique_ptr<shard_job>> make_job(const replica_host& host, const job::job_plan& plan,
                                            std::uint32_t shard) {
  return shard_job::make(plan, shard, host.router, host.rules, *host.update_rules);
}

} // namespace

result<std::unique_ptr<replica>> replica::make(const job::job_plan& plan, std::uint32_t shard,
                                               const replica_host& host,
                                               const mesh::address& coordinator, bool begins) {
  const auto& places = plan.layout.shards[shard];
  const bool primary = places.primary.where == host.address();
  if ((primary || places.synced) && !begins)
    return error{errc::refused,
                 fmt::format("layout {} of job {} calls this host the {} of shard {}, of which it "
                             "has nothing",
                             plan.layout.number, plan.job_id, primary ? "primary" : "synced backup",
                             shard)};
  auto job = make_job(host, plan, shard);
  if (!job) return job.failure();
  std::unique_ptr<replica> made(new replica(host, plan, std::move(*job)));
  made->coordinator_ = coordinator;
  made->primary_ = primary;
  made->complete_ = primary || places.synced;
  made->pairing_ = places.pairing;
  if (primary && places.backup) {
    made->start_backup();
    if (places.synced)
      made->backup_->take_as_synced();
    else
      made->backup_->begin_with(made->job_->image());
    made->job_->set_backup(made->backup_.get());
  }
  return made;
}

result<void> replica::change(const job::job_plan& plan) {
  auto changed = plan;
  changed.layout = plan_.layout;
  if (auto done = job_->change(changed); !done) return done;
  plan_ = std::move(changed);
  return {};
}

// --- layouts ------------------------------------------------------------------------------------

result<void> replica::check(const job::shard_layout& layout) const {
  const auto& places = layout.shards[shard()];
  const auto refusal = [&](const std::string& what) {
    return error{errc::refused, fmt::format("layout {} of job {} {} shard {}", layout.number,
                                            plan_.job_id, what, shard())};
  };
  if (places.primary.where != host_.address()) {
    if (places.synced && (primary_ || !complete_ || pairing_ != places.pairing))
      return refusal("calls this host, which is not complete, a synced backup of");
    return {};
  }
  if (!primary_ && !complete_)
    return refusal(
        fmt::format("makes this host, which has {} chunks of a snapshot, the primary of", chunks_));
  const bool kept = primary_ && backup_ && pairing_ == places.pairing && backup_->is_complete();
  if (places.synced && !kept)
    return refusal("says that a backup has all of a primary that never sent it to it:");
  return {};
}

result<void> replica::become(const job::shard_layout& layout, const mesh::address& coordinator) {
  coordinator_ = coordinator;
  plan_.layout = layout;
  job_->set_layout(layout.number);
  const auto& places = layout.shards[shard()];
  pending_.clear();
  next_ = applied_ + 1;
  if (places.primary.where == host_.address()) {
    be_primary();
    return {};
  }
  if (!primary_ && pairing_ == places.pairing) return {};
  // What it had may have been left behind.
  pairing_ = places.pairing;
  return forget();
}

void replica::be_primary() {
  const auto& places = plan_.layout.shards[shard()];
  if (!primary_) job_->take_over();
  primary_ = complete_ = true;
  if (backup_ && places.backup && pairing_ == places.pairing) {
    backup_->change_layout(plan_.layout.number, coordinator_, places.synced);
    backup_->send_more();
    return;
  }
  job_->set_backup(nullptr);
  backup_.reset();
  pairing_ = places.pairing;
  if (!places.backup) return;
  start_backup();
  backup_->begin_with(job_->image());
  job_->set_backup(backup_.get());
  backup_->send_more();
}

void replica::start_backup() {
  backup_ = std::make_unique<replication>(
      replication_ends{plan_.job_id, shard(), host_.service,
                       plan_.layout.shards[shard()].backup->where, pairing_, coordinator_,
                       host_.waiting_bytes_max},
      plan_.layout.number, host_.router, job_->parameters(), host_.rules);
}

result<void> replica::forget() {
  // Nobody is acknowledged what others may not have.
  job_->drop_acknowledgements();
  backup_.reset();
  primary_ = complete_ = answer_due_ = false;
  chunks_ = applied_ = 0;
  next_ = 1;
  arriving_ = {};
  auto fresh = make_job(host_, plan_, shard());
  if (!fresh) return fresh.failure();
  job_ = std::move(*fresh);
  return {};
}

// --- messages -----------------------------------------------------------------------------------

template <class T>
result<void> replica::check_fence(const message<T>& m) const {
  const auto in = *m;
  if (in.getLayout() == plan_.layout.number || !host_.rules.keeps(rule::fencing)) return {};
  return error{errc::stale_layout,
               fmt::format("a {} is for layout {} of job {}, shard {} is in {} here",
                           mesh::message_traits<T>::name, in.getLayout(), plan_.job_id, shard(),
                           plan_.layout.number)};
}

result<void> replica::pull(const message<schema::Pull>& request) {
  if (auto current = check_fence(request); !current) return current;
  if (primary_ || !host_.rules.keeps(rule::fencing)) return job_->pull(request);
  return error{errc::refused, fmt::format("this is the backup of shard {}", shard())};
}

result<void> replica::push(const message<schema::Push>& request) {
  if (auto current = check_fence(request); !current) return current;
  if (primary_) return job_->push(request);
  return error{errc::refused, fmt::format("this is the backup of shard {}", shard())};
}

result<void> replica::replicate(const message<schema::Replicate>& change) {
  if (auto current = check_fence(change); !current) return current;
  const auto number = (*change).getNumber();
  if (primary_ || !complete_)
    return error{errc::refused, fmt::format("shard {} is {} here; it takes no change {}", shard(),
                                            primary_ ? "primary" : "not complete", number)};
  answer_due_ = true;
  if (number < next_) return {}; // it has that
  if (number > next_ && host_.rules.keeps(rule::no_gap))
    return error{errc::refused, fmt::format("change {} of shard {} came, change {} is missing",
                                            number, shard(), next_)};
  pending_.push_back(change);
  next_ = number + 1;
  return (*change).getMore() ? result<void>() : apply_pending();
}

result<void> replica::apply_pending() {
  const auto last = next_ - 1;
  auto repeated = job_->repeat(pending_);
  pending_.clear();
  if (repeated)
    applied_ = last;
  else
    next_ = applied_ + 1;
  return repeated;
}

void replica::answer_primary() {
  if (primary_ || !complete_ || !std::exchange(answer_due_, false)) return;
  mesh::draft<schema::Replicated> answer;
  answer->setJobId(plan_.job_id);
  answer->setShard(shard());
  answer->setLayout(plan_.layout.number);
  answer->setNext(applied_ + 1);
  (void)host_.router->send(plan_.layout.primary(shard()).where, host_.service, answer);
}

result<void> replica::replicated(const message<schema::Replicated>& answer) {
  if (auto current = check_fence(answer); !current) return current;
  if (!backup_ || backup_->backup() != answer.sender()) return {};
  backup_->on_replicated((*answer).getNext());
  job_->acknowledge_replicated();
  backup_->send_more();
  return {};
}

result<void> replica::take(const message<schema::SnapshotChunk>& chunk) {
  if (auto current = check_fence(chunk); !current) return current;
  const auto number = (*chunk).getNumber();
  if (primary_) return error{errc::refused, fmt::format("shard {} is primary here", shard())};
  if (number == 0 && chunks_ > 0 && !host_.rules.keeps(rule::one_snapshot))
    if (auto forgotten = forget(); !forgotten) return forgotten;
  if (number > chunks_)
    return error{errc::refused, fmt::format("chunk {} of a snapshot of shard {} came, chunk {} is "
                                            "missing",
                                            number, shard(), chunks_)};
  if (number == chunks_ && !complete_) {
    if (auto loaded = job_->load(chunk.body(), arriving_); !loaded) return loaded;
    ++chunks_;
    if ((*chunk).getLast()) {
      job_->restore(std::exchange(arriving_, {}));
      complete_ = true;
    }
  }
  mesh::draft<schema::SnapshotTaken> answer;
  answer->setJobId(plan_.job_id);
  answer->setShard(shard());
  answer->setLayout(plan_.layout.number);
  answer->setChunks(chunks_);
  (void)host_.router->reply(chunk, answer);
  return {};
}

result<void> replica::taken(const message<schema::SnapshotTaken>& answer) {
  if (auto current = check_fence(answer); !current) return current;
  if (!backup_ || backup_->backup() != answer.sender()) return {};
  backup_->on_snapshot_taken((*answer).getChunks());
  backup_->send_more();
  return {};
}

result<void> replica::take(const message<schema::RestoreChunk>& chunk) {
  if (auto current = check_fence(chunk); !current) return current;
  // One that comes again, late, must not undo what was trained since.
  const bool takes = !restored_ || !host_.rules.keeps(rule::restored_once);
  if (takes && !(*chunk).getLast()) {
    if (auto taken = job_->take_in(chunk.body(), arriving_); !taken) return taken;
  } else if (takes) {
    job_->begin_with_cut(std::exchange(arriving_, {}));
    restored_ = true;
  }
  mesh::draft<schema::PlanReady> ready;
  ready->setJobId(plan_.job_id);
  (void)host_.router->reply(chunk, ready);
  return {};
}

void replica::tick(env::time_point now) {
  job_->set_time(now);
  job_->tick();
  if (!backup_) return;
  backup_->tick(now);
  job_->acknowledge_replicated();
}

} // namespace gradmesh::server_shard
