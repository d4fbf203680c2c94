#include "actors/server_shard/server_shard.hpp"

#include "actors/defaults.hpp"
#include "actors/mesh/receive.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::server_shard {

result<void> server_shard_state::prepare(const message<schema::JobPlan>& plan) {
  const bool known = job && job->job_id() == (*plan).getJobId() && planner == plan.sender().node;
  if (!known || (*plan).getRevision() > job->revision())
    if (auto taken = take_plan(plan, known); !taken) return taken;
  mesh::draft<schema::PlanReady> ready;
  ready->setJobId(job->job_id());
  (void)context->router->reply(plan, ready);
  return {};
}

result<void> server_shard_state::take_plan(const message<schema::JobPlan>& plan, bool known) {
  auto decoded = job::decode(*plan);
  if (!decoded) return decoded.failure();
  if (!known || decoded->begins) return start(std::move(*decoded), plan);
  const auto before = job->layout();
  if (auto changed = job->change(std::move(*decoded), plan.sender()); !changed) return changed;
  tell_unrecorded(before);
  for (const auto& [shard, one] : job->by_shard())
    one->job().tell(plan_record_of(plan, shard, context->rules));
  return {};
}

result<void> server_shard_state::start(job::job_plan plan, const message<schema::JobPlan>& from) {
  auto made = job_replicas::make(plan, *host, from.sender());
  if (!made) return made.failure();
  job = std::move(*made);
  recorded.clear();
  if (const auto& path = plan.config.job.record; !path.empty())
    if (auto recording = record(from, path); !recording) {
      job.reset();
      return recording;
    }
  planner = from.sender().node;
  report();
  return {};
}

result<void> server_shard_state::record(const message<schema::JobPlan>& plan,
                                        const std::string& path) {
  for (const auto& [shard, one] : job->by_shard()) {
    if (!one->is_primary()) continue;
    auto started = start_recording(self->system(), *context, path, shard, plan);
    if (!started) return started.failure();
    one->job().tell(std::move(started->sink));
    recorded[shard] = std::move(started->progress);
  }
  return {};
}

void server_shard_state::tell_unrecorded(const job::shard_layout& before) const {
  if (!job->is_recorded()) return;
  for (const auto& [shard, one] : job->by_shard())
    if (one->is_primary() && before.primary(shard).where != host->address())
      context->log(env::severity::warning,
                   "shard " + std::to_string(shard) + " of job " + std::to_string(job->job_id()) +
                       " comes from '" + before.primary(shard).name +
                       "', where its clock log ends (job.record): what it does here is in none, "
                       "and `gradmesh verify` will say so");
}

void server_shard_state::end(std::uint64_t job_id) {
  if (job && job->job_id() == job_id) {
    for (const auto& [shard, one] : job->by_shard())
      one->job().end_record(record::ending::job_over);
    job.reset();
  }
  report();
}

result<void> server_shard_state::take(const message<schema::Layout>& layout) {
  if (!job)
    return error{errc::not_found, to_string(service) + " has no plan of job " +
                                      std::to_string((*layout).getJobId())};
  const auto before = job->layout();
  auto taken = job->take(layout);
  if (!taken || job->layout().number == before.number) return taken;
  context->log(env::severity::info, to_string(service) + " is in layout " +
                                        std::to_string(job->layout().number) + " of job " +
                                        std::to_string(job->job_id()));
  tell_unrecorded(before);
  return taken;
}

template <class T>
result<replica*> server_shard_state::find(const message<T>& m) {
  // It had one, perhaps, and was given up: the sender is about to learn of it.
  if (!job) return error{errc::stale_layout, to_string(service) + " has no job"};
  const auto in = *m;
  if (in.getJobId() != job->job_id())
    return error{errc::refused, to_string(service) + " works on job " +
                                    std::to_string(job->job_id()) + ", not on job " +
                                    std::to_string(in.getJobId())};
  auto found = job->find(in.getShard(), in.getLayout());
  if (found) (*found)->job().set_time(env::now(*self));
  return found;
}

result<void> server_shard_state::replicate(const message<schema::Replicate>& change) {
  auto found = find(change);
  auto done = found ? (*found)->replicate(change) : found.failure();
  // One answer for all that have come by then.
  if (!std::exchange(answers_due, true)) self->send(self, answer_primaries{});
  return done;
}

result<void> server_shard_state::export_partition(const message<schema::ExportPartition>& request) {
  if (!job) return error{errc::refused, to_string(service) + " has no job"};
  auto found = job->owner_of((*request).getPartition());
  return found ? (*found)->job().export_partition(request) : found.failure();
}

result<void> server_shard_state::on_chunks_taken(const message<schema::CheckpointTaken>& taken) {
  // Late news of a checkpoint, or of a shard that is somewhere else now, are nobody's fault.
  if (!job || (*taken).getJobId() != job->job_id()) return {};
  const auto& replicas = job->by_shard();
  if (const auto found = replicas.find((*taken).getShard()); found != replicas.end())
    found->second->job().on_chunks_taken(taken);
  return {};
}

void server_shard_state::on_refused(const message<schema::Refusal>& refusal) {
  const auto why = mesh::to_error(*refusal);
  if (job) job->pause(refusal.sender());
  if (!std::exchange(resume_due, true))
    self->delayed_send(self, defaults::server_shard::pause_when_refused, resume_replication{});
  // A backup that is in another layout yet gets it all again.
  if (why.code != errc::stale_layout)
    context->log(env::severity::warning, "refused: " + to_string(why));
}

void server_shard_state::report() const {
  node::service_status status;
  status.state = job ? "serving" : "idle";
  if (job) {
    std::map<std::string, double> sums;
    std::uint64_t clock = ~std::uint64_t{0};
    for (const auto& [shard, one] : job->by_shard()) {
      const auto& counters = one->job().counters();
      sums[one->is_primary() ? "primaries" : "backups"] += 1;
      sums["pulls_total"] += static_cast<double>(counters.pulls);
      sums["pushes_total"] += static_cast<double>(counters.pushes);
      sums["parts_repeated_total"] += static_cast<double>(counters.repeated_parts);
      sums["parts_late_total"] += static_cast<double>(counters.late_parts);
      sums["pushes_dropped_total"] += static_cast<double>(counters.dropped_pushes);
      sums["requests_refused_total"] += static_cast<double>(counters.refused);
      sums["pulls_waiting"] += static_cast<double>(one->job().waiting_pulls());
      sums["sparse_keys"] += static_cast<double>(one->job().sparse_keys());
      if (one->backup())
        sums["replication_waiting_bytes"] += static_cast<double>(one->backup()->waiting_bytes());
      if (one->is_primary()) clock = std::min(clock, one->job().clock());
    }
    if (sums.contains("primaries")) sums["clock"] = static_cast<double>(clock);
    for (const auto& [shard, progress] : recorded) {
      sums["record_bytes_total"] += static_cast<double>(progress->written_bytes);
      sums["record_events_lost_total"] += static_cast<double>(progress->lost_events);
    }
    status.gauges.assign(sums.begin(), sums.end());
  }
  context->board->set(service, std::move(status));
}

server_shard_actor::behavior_type server_shard(server_shard_state::pointer self,
                                               node::context_ptr context,
                                               mesh::service_id service) {
  auto& state = self->state;
  state.self = self;
  state.context = std::move(context);
  state.service = service;
  const auto& node = *state.context;
  state.host =
      std::make_unique<replica_host>(replica_host{.router = node.router,
                                                  .service = service,
                                                  .rules = node.rules,
                                                  .update_rules = node.update_rules.get()});
  self->send(self, tick{});
  const auto& router = state.context->router;
  return {
      mesh::receive<schema::JobPlan>(
          router, [self](const auto& plan) { return self->state.prepare(plan); }),
      mesh::receive<schema::EndJob>(router,
                                    [self](const auto& end) -> result<void> {
                                      self->state.end((*end).getJobId());
                                      return {};
                                    }),
      mesh::receive<schema::Layout>(
          router, [self](const auto& layout) { return self->state.take(layout); }),
      mesh::receive<schema::Pull>(router,
                                  [self](const auto& pull) -> result<void> {
                                    auto found = self->state.find(pull);
                                    return found ? (*found)->pull(pull) : found.failure();
                                  }),
      mesh::receive<schema::Push>(router,
                                  [self](const auto& push) -> result<void> {
                                    auto found = self->state.find(push);
                                    return found ? (*found)->push(push) : found.failure();
                                  }),
      mesh::receive<schema::Replicate>(
          router, [self](const auto& change) { return self->state.replicate(change); }),
      mesh::receive<schema::Replicated>(router,
                                        [self](const auto& answer) -> result<void> {
                                          auto found = self->state.find(answer);
                                          return found
                                                     ? self->state.job->replicated(**found, answer)
                                                     : found.failure();
                                        }),
      mesh::receive<schema::SnapshotChunk>(router,
                                           [self](const auto& chunk) -> result<void> {
                                             auto found = self->state.find(chunk);
                                             return found ? (*found)->take(chunk) : found.failure();
                                           }),
      mesh::receive<schema::SnapshotTaken>(router,
                                           [self](const auto& answer) -> result<void> {
                                             auto found = self->state.find(answer);
                                             return found ? (*found)->taken(answer)
                                                          : found.failure();
                                           }),
      mesh::receive<schema::CheckpointStage>(
          router,
          [self](const auto& stage) -> result<void> {
            auto& s = self->state;
            return s.job ? s.job->make_checkpoint(stage, env::now(*self)) : result<void>();
          }),
      mesh::receive<schema::CheckpointTaken>(
          router, [self](const auto& taken) { return self->state.on_chunks_taken(taken); }),
      mesh::receive<schema::RestoreChunk>(router,
                                          [self](const auto& chunk) -> result<void> {
                                            auto found = self->state.find(chunk);
                                            return found ? (*found)->take(chunk) : found.failure();
                                          }),
      mesh::receive<schema::ExportPartition>(
          router, [self](const auto& request) { return self->state.export_partition(request); }),
      mesh::receive<schema::Refusal>(router,
                                     [self](const auto& refusal) -> result<void> {
                                       self->state.on_refused(refusal);
                                       return {};
                                     }),
      [self](const peer_up&) {
        if (self->state.job) self->state.job->tick(env::now(*self));
      },
      [self](const peer_down& down) {
        if (self->state.job) self->state.job->link_lost(down.who.identity.uuid);
      },
      [self](resume_replication) {
        self->state.resume_due = false;
        if (self->state.job) self->state.job->resume();
      },
      [self](answer_primaries) {
        self->state.answers_due = false;
        if (self->state.job) self->state.job->answer_primaries();
      },
      [self](tick) {
        if (self->state.job) self->state.job->tick(env::now(*self));
        self->state.report();
        self->delayed_send(self, defaults::server_shard::report_interval, tick{});
      },
  };
}

} // namespace gradmesh::server_shard
