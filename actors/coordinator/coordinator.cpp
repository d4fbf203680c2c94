#include "actors/coordinator/coordinator.hpp"

#include "actors/coordinator/checkpoint_actors.hpp"
#include "actors/defaults.hpp"
#include "actors/mesh/receive.hpp"

#include <caf/sec.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::coordinator {
namespace {

constexpr mesh::service_id node_service{mesh::service_kind::node, 0};

} // namespace

void coordinator_state::start() {
  began = now();
  members = std::make_unique<membership>(context->router->self().uuid, options.node_timeout,
                                         options.heartbeat, began);
  if (!options.log)
    context->log(env::severity::info,
                 "keeps no log: a job ends with this process (node.state_folder is empty)");
  if (!options.log || !options.log->found()) return;
  const auto& known = *options.log->found();
  jobs = known.request.id;
  job = std::make_unique<job_run>(
      known, make_checkpoint_actors(self, *context), context, service, *members, options.log.get(),
      options.node_timeout + defaults::node::redial_interval + defaults::node::register_interval,
      began);
  if (!job->ended())
    context->log(env::severity::info, "goes on with job " + std::to_string(jobs) + ", which " +
                                          options.log->path() + " knows");
}

bool coordinator_state::log_failed() {
  if (ends || !options.log || !options.log->failure()) return ends;
  ends = true;
  const auto why = "the coordinator ends, because it could not write down what it decided: " +
                   options.log->failure().text + ". Members go on; start it again when its disk " +
                   "can be written";
  context->log(env::severity::error, why);
  self->quit(caf::make_error(caf::sec::runtime_error, why));
  return true;
}

result<void> coordinator_state::admit(const message<schema::Register>& request) {
  const auto& identity = request.header().from;
  if (const auto* known = members->find(identity.uuid);
      known && known->identity.incarnation < identity.incarnation)
    lose(identity.uuid, {errc::node_lost, "it has started again"});
  // One that keeps no identity is another node in each life.
  if (const auto former = members->find_server_at(mesh::text((*request).getEndpoint()));
      former && *former != identity.uuid)
    lose(*former, {errc::node_lost, "another process listens where it did"});
  const auto changed = members->admit(request, now());
  if (!changed) return changed.failure();
  (void)context->router->reply(request, registered());
  const auto& admitted = *members->find(identity.uuid);
  if (!*changed) {
    // It is back over another link, on which it has heard nothing of what was said meanwhile.
    (void)context->router->send({identity.uuid, node_service}, service, members->view());
    if (job) job->on_member_back(admitted, now());
  } else {
    context->log(env::severity::info, "node '" + mesh::text((*request).getName()) +
                                          "' joined (epoch " + std::to_string(members->epoch()) +
                                          ")");
    publish_view();
    if (job) job->on_member_joined(admitted);
  }
  return {};
}

result<void> coordinator_state::heard(const message<schema::Heartbeat>& heartbeat) {
  auto known = members->heard_from(heartbeat, now());
  if (known) (void)context->router->reply(heartbeat, registered());
  return known;
}

mesh::draft<schema::Registered> coordinator_state::registered() const {
  mesh::draft<schema::Registered> registered;
  registered->setHeartbeatMs(static_cast<std::uint32_t>(options.heartbeat.count()));
  registered->setNodeTimeoutMs(static_cast<std::uint32_t>(options.node_timeout.count()));
  return registered;
}

void coordinator_state::publish_view() {
  context->router->set_view_epoch(members->epoch());
  const auto view = members->view();
  for (const auto& [uuid, member] : members->members())
    (void)context->router->send({uuid, node_service}, service, view);
  report();
}

void coordinator_state::lose(const mesh::node_uuid& uuid, const error& why) {
  const auto lost = members->remove(uuid);
  if (!lost) return;
  context->log(env::severity::warning, "node '" + lost->name + "' is gone: " + why.text);
  publish_view();
  if (job) job->on_member_lost(*lost, why, now());
  tell_client();
}

result<void> coordinator_state::status(const message<schema::StatusRequest>& request) const {
  mesh::draft<schema::Status> status;
  status->setEpoch(members->epoch());
  const auto since = [&](env::time_point then) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now() - then).count());
  };
  status->setUptimeMs(since(began));
  auto out = status->initMembers(static_cast<unsigned>(members->members().size()));
  unsigned i = 0;
  for (const auto& [uuid, member] : members->members()) {
    auto entry = out[i++];
    describe(member, entry.initMember());
    entry.setHeartbeatAgeMs(since(member.last_heard));
    if (member.has_heartbeat) entry.setLastHeartbeat(*member.heartbeat);
    entry.setProcessId(member.process_id);
    entry.setVersion(member.version);
  }
  if (job) job->fill_update(status->initJob(), now());
  (void)context->router->reply(request, status);
  return {};
}

result<void> coordinator_state::submit(const message<schema::SubmitJob>& request) {
  const auto in = *request;
  if (job && !job->ended())
    return error{errc::refused,
                 "job " + std::to_string(job->id()) +
                     " is running; wait for its end, or end it by Ctrl-C where it was submitted"};
  const restore_source from{mesh::text(in.getResumeFrom()), in.getResumeNumber()};
  auto config = config_of(mesh::text(in.getConfig()), from, context->disk);
  if (!config) return config.failure();
  if (auto free = check_checkpoint_folder(*config, from, context->disk); !free) return free;
  if (auto saved = check_model_file(config->job.model_file); !saved) return saved;
  const auto at_least_one = [](std::uint32_t n) { return std::max<std::size_t>(1, n); };
  auto taken = std::make_unique<job_run>(
      job_request{.id = jobs + 1,
                  .config = std::move(*config),
                  .min_servers = at_least_one(in.getMinServers()),
                  .min_workers = at_least_one(in.getMinWorkers()),
                  .min_data_servers = at_least_one(in.getMinDataServers()),
                  .wait = std::chrono::seconds(in.getWaitSeconds()),
                  .client = request.sender(),
                  .from = from},
      make_checkpoint_actors(self, *context), context, service, *members, options.log.get(), now());
  if (auto logged = taken->begin(); !logged) return logged;
  job = std::move(taken);
  ++jobs;
  mesh::draft<schema::JobAccepted> accepted;
  accepted->setJobId(job->id());
  (void)context->router->reply(request, accepted);
  job->on_tick(now());
  tell_client();
  return {};
}

result<void> coordinator_state::change(const message<schema::ChangeJob>& request) {
  if (!job || job->ended())
    return error{errc::refused,
                 "no job is running; `gradmesh submit` and `gradmesh run` start one"};
  return job->change(request);
}

result<void> coordinator_state::drain(const message<schema::DrainNode>& request) {
  const auto name = mesh::text((*request).getNode());
  const member* found = nullptr;
  for (const auto& [uuid, m] : members->members()) {
    if (m.name != name) continue;
    if (found)
      return error{errc::invalid_argument, "several nodes are called '" + name +
                                               "'; node.name gives them names of their own"};
    found = &m;
  }
  if (!found)
    return error{errc::not_found,
                 "no node of the mesh is called '" + name + "'; `gradmesh status` lists them"};
  if (!job || job->ended())
    return error{errc::refused, "no job is running that '" + name +
                                    "' could take part in; the node can just be stopped"};
  const auto replicas = job->drain(*found, now());
  if (!replicas) return replicas.failure();
  mesh::draft<schema::DrainStarted> started;
  started->setReplicas(*replicas);
  (void)context->router->reply(request, started);
  tell_client();
  return {};
}

result<void>
coordinator_state::create_checkpoint(const message<schema::CreateCheckpoint>& request) {
  if (!job || job->ended())
    return error{errc::refused, "no job is running that a checkpoint could be made of"};
  return job->create_checkpoint(request, now());
}

void coordinator_state::told(const checkpoint_told& what) {
  if (!job || job->id() != what.job_id) return;
  job->on_checkpoint_told(what, now());
  if (job->take_changed()) tell_client();
  report();
}

result<void> coordinator_state::check_model_file(const std::string& path) const {
  if (path.empty()) return {};
  const auto slash = path.rfind('/');
  const auto folder =
      slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  if (!context->disk->list(folder))
    return error{errc::not_found, "job.model_file = " + path + ": there is no folder " + folder +
                                      " on the coordinator's machine"};
  if (context->disk->list(path))
    return error{errc::invalid_argument, "job.model_file = " + path + " is a folder; name a file"};
  return {};
}

template <class Event>
result<void> coordinator_state::for_job(std::uint64_t id, Event event) {
  if (!job || job->id() != id || job->ended()) return {};
  auto went = event(*job);
  if (job->take_changed()) tell_client();
  return went;
}

void coordinator_state::refused(const message<schema::Refusal>& refusal) {
  if (!job || job->ended()) return;
  job->on_refused(refusal, now());
  if (job->take_changed()) tell_client();
}

void coordinator_state::tell_client() {
  if (!job || log_failed()) return;
  (void)job->take_changed();
  told_at = now();
  mesh::draft<schema::JobUpdate> update;
  job->fill_update(*update, now());
  // A client that has gone away does not end its job.
  (void)context->router->send(job->client(), service, update);
  report();
}

void coordinator_state::on_tick() {
  self->delayed_send(self, defaults::coordinator::tick_interval, tick{});
  for (const auto& lost : members->casualties(now())) {
    lose(lost.uuid, lost.why);
    context->router->network().disconnect(lost.uuid, lost.why);
  }
  if (log_failed() || !job) return;
  const bool ended = job->ended();
  job->on_tick(now());
  if (ended) return;
  if (job->take_changed() || now() - told_at >= defaults::coordinator::update_interval)
    tell_client();
}

void coordinator_state::shut_down(const std::string& reason) {
  context->log(env::severity::info, "shutting the mesh down: " + reason);
  if (job) job->cancel(now());
  tell_client();
  mesh::draft<schema::Shutdown> shutdown;
  shutdown->setReason(reason);
  const auto self_uuid = context->router->self().uuid;
  for (const auto& [uuid, member] : members->members())
    if (uuid != self_uuid) (void)context->router->send({uuid, node_service}, service, shutdown);
  (void)context->router->send({self_uuid, node_service}, service, shutdown);
}

void coordinator_state::report() const {
  node::service_status status{job && !job->ended() ? "running" : "idle",
                              {{"members", static_cast<double>(members->members().size())},
                               {"epoch", static_cast<double>(members->epoch())},
                               {"nodes_lost_total", static_cast<double>(members->removed())},
                               {"nodes_returned_total", static_cast<double>(members->returned())},
                               {"jobs_total", static_cast<double>(jobs)}}};
  if (const auto* made = job ? job->checkpoints() : nullptr) {
    const auto& so_far = made->so_far();
    auto& gauges = status.gauges;
    gauges.emplace_back("checkpoints_total", static_cast<double>(so_far.written));
    gauges.emplace_back("checkpoint_failures_total", static_cast<double>(so_far.failed));
    gauges.emplace_back("checkpoint_step", static_cast<double>(so_far.step));
    if (so_far.at)
      gauges.emplace_back("checkpoint_age_seconds", env::seconds_between(*so_far.at, now()));
  }
  context->board->set(service, std::move(status));
}

coordinator_actor::behavior_type coordinator(coordinator_state::pointer self,
                                             node::context_ptr context,
                                             coordinator_options options) {
  auto& state = self->state;
  state.self = self;
  state.context = std::move(context);
  state.options = options;
  state.start();
  self->send(self, tick{});
  const auto& router = state.context->router;
  return {
      mesh::receive<schema::Register>(router,
                                      [self](const auto& m) { return self->state.admit(m); }),
      mesh::receive<schema::Heartbeat>(router,
                                       [self](const auto& m) { return self->state.heard(m); }),
      mesh::receive<schema::StatusRequest>(router,
                                           [self](const auto& m) { return self->state.status(m); }),
      mesh::receive<schema::SubmitJob>(router,
                                       [self](const auto& m) { return self->state.submit(m); }),
      mesh::receive<schema::CancelJob>(router,
                                       [self](const auto& m) {
                                         auto& s = self->state;
                                         return s.for_job((*m).getJobId(), [&](job_run& job) {
                                           job.cancel(s.now());
                                           return result<void>();
                                         });
                                       }),
      mesh::receive<schema::ChangeJob>(router,
                                       [self](const auto& m) { return self->state.change(m); }),
      mesh::receive<schema::PhaseLimit>(router,
                                        [self](const auto& m) {
                                          return self->state.for_job(
                                              (*m).getJobId(),
                                              [&](job_run& job) { return job.on_limit(m); });
                                        }),
      mesh::receive<schema::DataLoaded>(router,
                                        [self](const auto& m) {
                                          auto& s = self->state;
                                          return s.for_job((*m).getJobId(), [&](job_run& job) {
                                            return job.on_data_loaded(m, s.now());
                                          });
                                        }),
      mesh::receive<schema::PlanReady>(router,
                                       [self](const auto& m) {
                                         auto& s = self->state;
                                         return s.for_job((*m).getJobId(), [&](job_run& job) {
                                           return job.on_ready(m, s.now());
                                         });
                                       }),
      mesh::receive<schema::PhaseProgress>(router,
                                           [self](const auto& m) {
                                             auto& s = self->state;
                                             return s.for_job((*m).getJobId(), [&](job_run& job) {
                                               return job.on_progress(m, s.now());
                                             });
                                           }),
      mesh::receive<schema::PartitionContent>(router,
                                              [self](const auto& m) {
                                                auto& s = self->state;
                                                return s.for_job(
                                                    (*m).getJobId(), [&](job_run& job) {
                                                      return job.on_partition(m, s.now());
                                                    });
                                              }),
      mesh::receive<schema::LayoutTaken>(router,
                                         [self](const auto& m) {
                                           auto& s = self->state;
                                           return s.for_job((*m).getJobId(), [&](job_run& job) {
                                             return job.on_layout_taken(m, s.now());
                                           });
                                         }),
      mesh::receive<schema::BackupReport>(router,
                                          [self](const auto& m) {
                                            auto& s = self->state;
                                            return s.for_job((*m).getJobId(), [&](job_run& job) {
                                              return job.on_backup_report(m, s.now());
                                            });
                                          }),
      mesh::receive<schema::CreateCheckpoint>(
          router, [self](const auto& m) { return self->state.create_checkpoint(m); }),
      mesh::receive<schema::PushesHeld>(router,
                                        [self](const auto& m) {
                                          auto& s = self->state;
                                          return s.for_job((*m).getJobId(), [&](job_run& job) {
                                            return job.on_pushes_held(m, s.now());
                                          });
                                        }),
      mesh::receive<schema::CheckpointChunk>(router,
                                             [self](const auto& m) {
                                               auto& s = self->state;
                                               return s.for_job((*m).getJobId(), [&](job_run& job) {
                                                 return job.on_checkpoint_chunk(m, s.now());
                                               });
                                             }),
      [self](const checkpoint_told& what) { self->state.told(what); },
      mesh::receive<schema::DrainNode>(router,
                                       [self](const auto& m) { return self->state.drain(m); }),
      mesh::receive<schema::JobFailed>(
          router,
          [self](const auto& m) {
            auto& s = self->state;
            const auto lost = mesh::to_uuid((*m).getLost());
            const auto* culprit = s.members->find(lost ? *lost : m.sender().node);
            const error why{static_cast<errc>((*m).getCode()), mesh::text((*m).getText())};
            return s.for_job((*m).getJobId(), [&](job_run& job) {
              job.on_failed(why, culprit ? culprit->name : std::string(), s.now());
              return result<void>();
            });
          }),
      mesh::receive<schema::Refusal>(router,
                                     [self](const auto& m) -> result<void> {
                                       self->state.refused(m);
                                       return {};
                                     }),
      mesh::receive<schema::Shutdown>(router,
                                      [self](const auto& m) -> result<void> {
                                        self->state.shut_down(mesh::text((*m).getReason()));
                                        return {};
                                      }),
      [self](const peer_down& down) {
        auto& s = self->state;
        s.members->link_lost(down.who.identity, down.why, s.now());
      },
      [self](tick) { self->state.on_tick(); },
  };
}

} // namespace gradmesh::coordinator
