#include "actors/worker/worker.hpp"

#include "actors/defaults.hpp"
#include "actors/mesh/receive.hpp"
#include "actors/node/spawn.hpp"
#include "gpu/cpu_backend.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::worker {

result<void> worker_state::prepare(const message<schema::JobPlan>& request) {
  auto plan = job::decode(*request);
  if (!plan) return plan.failure();
  const bool known =
      job && job->plan.job_id == plan->job_id && job->coordinator.node == request.sender().node;
  if (known && plan->revision < job->plan.revision) return {}; // late
  if (known && plan->revision == job->plan.revision) {         // asked for again
    job->plan_request = request.header();
    if (!job->failed) ready_if_linked();
    return {};
  }
  const auto rank = job::index_of(plan->workers, context->router->local(service));
  if (rank == plan->workers.size())
    return error{errc::refused, "the plan of job " + std::to_string(plan->job_id) +
                                    " does not name " + to_string(service) + " of " +
                                    context->node_name};
  auto map = job::make_partition_map(*plan);
  if (!map) return map.failure();
  auto computer = compute_place::make(*plan, *context, options.device);
  if (!computer) return computer.failure();

  const auto last_phase = known ? job->last_phase : 0;
  end_job();
  job = std::make_unique<worker_job>();
  job->last_phase = last_phase;
  job->plan = std::move(*plan);
  job->rank = static_cast<std::uint32_t>(rank);
  job->data_servers = job::data_servers_of_worker(job->plan, job->rank);
  job->coordinator = request.sender();
  job->plan_request = request.header();
  job->links_needed_by = env::now(*self) + job->plan.config.job.request_timeout;
  job->slicer.emplace(job->plan.tables, std::move(*map));
  job->backend = gpu::make_cpu_backend();
  auto planner =
      learning::make_model(job::model_options_of(job->plan.config), job->plan.shape, *job->backend);
  if (!planner) return planner.failure();
  job->planner = std::move(*planner);
  auto pace = options.pace;
  // Far apart, so that no two workers are slow in the same steps.
  pace.seed = job->plan.config.job.seed + (std::uint64_t{job->rank} << 40);
  job->health = std::make_shared<gpu_stream::device_health>();
  job->compute = computer->spawn(self->system(), worker_actor(self), pace, job->health);
  job->announce = computer->announce();
  job->memory = computer->memory();
  job->steps_at_once = computer->steps_at_once();
  self->monitor(job->compute);
  ready_if_linked();
  return {};
}

std::string worker_state::missing_links() const {
  std::string missing;
  const auto add = [&](const std::vector<job::place>& places) {
    for (const auto& place : places)
      if (place.where.node != context->router->self().uuid && !peers.contains(place.where.node))
        missing += (missing.empty() ? "" : ", ") + place.name;
  };
  add(job->plan.layout.primaries());
  add(job->data_servers);
  return missing;
}

void worker_state::ready_if_linked() {
  if (!missing_links().empty()) {
    report("linking");
    return;
  }
  job->ready = true;
  report("ready");
  mesh::draft<schema::PlanReady> ready;
  ready->setJobId(job->plan.job_id);
  (void)context->router->reply_to(job->plan_request, ready);
}

result<void> worker_state::start(const message<schema::StartPhase>& request) {
  const auto start = *request;
  if (!job || !job->ready || job->plan.job_id != start.getJobId())
    return error{errc::refused,
                 "this worker is not ready for job " + std::to_string(start.getJobId())};
  if (start.getRevision() != job->plan.revision) return {}; // of another generation
  mesh::draft<schema::PlanReady> started;
  started->setJobId(job->plan.job_id);
  (void)context->router->reply(request, started);
  if (start.getPhase() <= job->last_phase) return {}; // asked for again
  job->last_word.reset();
  const auto what = start.getKind() == schema::PhaseKind::TRAIN ? pass::train : pass::evaluate;
  job->last_phase = start.getPhase();
  report(what == pass::train ? "training" : "evaluating");
  job->phase.emplace(pipeline_tools{.plan = job->plan,
                                    .rank = job->rank,
                                    .data_servers = job->data_servers,
                                    .service = service,
                                    .router = *context->router,
                                    .slicer = *job->slicer,
                                    .model = *job->planner,
                                    .evaluations = &job->evaluations,
                                    .rules = context->rules,
                                    .compute =
                                        [this](std::shared_ptr<step_work> work) {
                                          self->send(job->compute,
                                                     compute_request{std::move(work)});
                                        },
                                    .announce = job->announce,
                                    .memory = job->memory,
                                    .steps_at_once = job->steps_at_once,
                                    .upload_ahead = ahead_sender()},
                     start.getPhase(), what, options.pipeline, env::now(*self));
  return run([](pipeline&) { return result<void>(); });
}

worker_state::ahead_function worker_state::ahead_sender() {
  if (!job->memory) return {};
  return
      [this](std::shared_ptr<const step_work> work, std::vector<learning::dense_version> blocks) {
        self->send(job->compute, compute_ahead{std::move(work), std::move(blocks)});
      };
}

result<void> worker_state::take(const message<schema::Layout>& request) {
  auto layout = job::decode(*request);
  if (!layout) return layout.failure();
  if (!job || job->plan.job_id != (*request).getJobId())
    return error{errc::refused,
                 "this worker has no plan of job " + std::to_string((*request).getJobId())};
  auto& plan = job->plan;
  if (layout->size() != plan.layout.size())
    return error{errc::malformed_message, "a layout has " + std::to_string(layout->size()) +
                                              " shards, the job has " +
                                              std::to_string(plan.layout.size())};
  if (layout->number > plan.layout.number) {
    const auto before = std::exchange(plan.layout, *std::move(layout));
    if (job->phase) job->phase->on_layout(before);
    if (!job->ready && !job->failed) ready_if_linked();
  }
  mesh::draft<schema::LayoutTaken> taken;
  taken->setJobId(plan.job_id);
  taken->setNumber((*request).getNumber());
  (void)context->router->reply(request, taken);
  return run([](pipeline&) { return result<void>(); });
}

template <class Event>
result<void> worker_state::run(Event event) {
  // Late messages of a phase that has ended or failed are of no interest to anybody.
  if (!job || !job->phase || job->failed) return {};
  auto& phase = *job->phase;
  // Guarded here already, so that what does not decode ends the job and not only the message.
  auto went = mesh::guarded([&] { return result<void>(event(phase)); });
  if (went) went = phase.advance(env::now(*self));
  if (!went)
    fail(went.failure());
  else if (phase.done()) {
    report_progress();
    job->phase.reset();
    report("ready");
  }
  return {};
}

void worker_state::report_progress() {
  auto& phase = *job->phase;
  mesh::draft<schema::PhaseProgress> message;
  message->setJobId(job->plan.job_id);
  message->setPhase(phase.phase());
  message->setDone(phase.done());
  auto progress = message->initProgress();
  progress.setRank(job->rank);
  progress.setName(context->node_name);
  phase.report(progress);
  (void)context->router->send(job->coordinator, service, message);
  if (phase.done()) job->last_word = std::move(message);
  report(activity_);
}

void worker_state::fail(const error& why) {
  job->failed = true;
  job->phase.reset();
  report("failed");
  context->log(env::severity::error,
               "job " + std::to_string(job->plan.job_id) + " failed: " + to_string(why));
  job->failure = why;
  report_failure();
}

void worker_state::report_failure() {
  mesh::draft<schema::JobFailed> failed;
  failed->setJobId(job->plan.job_id);
  failed->setCode(static_cast<std::uint16_t>(job->failure.code));
  failed->setText("worker '" + context->node_name + "': " + job->failure.text);
  (void)context->router->send(job->coordinator, service, failed);
}

void worker_state::peer_came(const env::peer& who) {
  peers.insert(who.identity.uuid);
  if (const auto back = missed.extract(who.identity.uuid); !back.empty())
    context->log(env::severity::info,
                 "there is a link to '" + who.name + "' again, after " +
                     std::to_string(env::seconds_between(back.mapped().second, env::now(*self))) +
                     " s");
  if (!job || job->failed) return;
  if (!job->ready)
    ready_if_linked();
  else
    (void)run([](pipeline&) { return result<void>(); });
}

void worker_state::peer_went(const env::peer& who, const error& why) {
  const auto& node = who.identity.uuid;
  peers.erase(node);
  if (!job || job->failed) return;
  const auto concerns = [&](const std::vector<job::place>& places) {
    for (const auto& place : places)
      if (place.where.node == node) return true;
    return false;
  };
  if (!concerns(job->plan.layout.primaries()) && !concerns(job->data_servers)) return;
  missed.emplace(node, std::pair(who.name, env::now(*self)));
  context->log(env::severity::warning,
               "lost the link to '" + who.name + "': " + why.text +
                   "; waits for it, or for another server in its place, at most " +
                   describe(how_patient()));
  if (job->phase) job->phase->on_link_lost(node);
}

void worker_state::joined(const mesh::node_uuid& coordinator) {
  if (!job) return;
  // The job of a coordinator that another one has replaced is nobody's.
  if (coordinator != job->coordinator.node) return end_job();
  // What was said last it may not have heard.
  if (job->failure) report_failure();
  if (job->phase && !job->failed) report_progress();
}

patience worker_state::how_patient() const {
  const auto& limits = job->plan.config.job;
  // For a member that is lost the coordinator may be waiting, and has the last word on it.
  std::string names;
  for (const auto& [node, name_and_since] : missed)
    names += (names.empty() ? "'" : ", '") + name_and_since.first + "'";
  if (!names.empty()) return {limits.request_timeout, limits.wait, "there is no link to " + names};
  if (!job->phase || !job->phase->is_fenced()) return {limits.request_timeout};
  return {limits.request_timeout, limits.wait, "shards are in a layout that did not come here"};
}

void worker_state::on_tick() {
  self->delayed_send(self, defaults::worker::progress_interval, tick{});
  if (!job || job->failed) return;
  const auto now = env::now(*self);
  if (!job->ready && now > job->links_needed_by) {
    (void)context->router->reply_to(
        job->plan_request,
        mesh::make_refusal(
            {errc::timed_out, "worker '" + context->node_name + "' has no link to " +
                                  missing_links() + " after " +
                                  std::to_string(job->plan.config.job.request_timeout.count()) +
                                  " s (job.request_timeout)"}));
    job->failed = true;
  }
  // Until the next phase begins nobody knows whether the coordinator has heard that this one is
  // over.
  if (job->last_word) (void)context->router->send(job->coordinator, service, *job->last_word);
  if (!job->phase) return;
  if (auto late = job->phase->overdue(now, how_patient()))
    fail(*late);
  else
    report_progress();
  // What a full queue or a shard's "retry later" has held up goes out at the latest now.
  (void)run([](pipeline&) { return result<void>(); });
}

worker_job::~worker_job() {
  if (compute) caf::anon_send_exit(compute, caf::exit_reason::user_shutdown);
}

void worker_state::end_job() {
  job.reset();
  missed.clear();
  report("idle");
}

void worker_state::report(std::string activity) {
  activity_ = std::move(activity);
  node::service_status status{activity_, {}};
  if (job && job->phase) {
    const auto& progress = job->phase->progress();
    status.gauges = {{"steps_total", static_cast<double>(progress.steps())},
                     {"examples_total", static_cast<double>(progress.total().examples)},
                     {"staleness_max", static_cast<double>(progress.staleness_max())},
                     {"links_missed", static_cast<double>(missed.size())}};
    if (options.device) {
      status.gauges.emplace_back("device_fresh_starts_total", job->health->fresh_starts);
      status.gauges.emplace_back("device_given_up", job->health->on_cpu);
      status.gauges.emplace_back("device_copied_bytes_total",
                                 static_cast<double>(job->health->bytes_copied));
      status.gauges.emplace_back("device_spared_bytes_total",
                                 static_cast<double>(job->health->bytes_spared));
      status.gauges.emplace_back("evaluation_plan_hits_total",
                                 static_cast<double>(job->evaluations.hits()));
    }
  }
  context->board->set(service, std::move(status));
}

worker_actor::behavior_type worker(worker_state::pointer self, node::context_ptr context,
                                   mesh::service_id service, worker_options options) {
  auto& state = self->state;
  state.self = self;
  state.context = std::move(context);
  state.service = service;
  state.options = options;
  state.end_job();
  self->set_down_handler([self](const caf::down_msg& down) {
    auto& job = self->state.job;
    if (job && job->phase && job->compute == down.source)
      self->state.fail(
          {errc::io_failed, "its compute actor ended: " + self->system().render(down.reason)});
  });
  self->send(self, tick{});
  const auto& router = state.context->router;
  return {
      mesh::receive<schema::JobPlan>(router,
                                     [self](const auto& m) { return self->state.prepare(m); }),
      mesh::receive<schema::Layout>(router, [self](const auto& m) { return self->state.take(m); }),
      mesh::receive<schema::StartPhase>(router,
                                        [self](const auto& m) { return self->state.start(m); }),
      mesh::receive<schema::EndJob>(router,
                                    [self](const auto& m) -> result<void> {
                                      auto& job = self->state.job;
                                      if (job && job->plan.job_id == (*m).getJobId())
                                        self->state.end_job();
                                      return {};
                                    }),
      mesh::receive<schema::Batch>(router,
                                   [self](const auto& m) {
                                     return self->state.run(
                                         [&](pipeline& p) { return p.on_batch(m); });
                                   }),
      mesh::receive<schema::Pulled>(router,
                                    [self](const auto& m) {
                                      return self->state.run(
                                          [&](pipeline& p) { return p.on_pulled(m); });
                                    }),
      mesh::receive<schema::Pushed>(router,
                                    [self](const auto& m) {
                                      return self->state.run(
                                          [&](pipeline& p) { return p.on_pushed(m); });
                                    }),
      mesh::receive<schema::Refusal>(router,
                                     [self](const auto& m) {
                                       return self->state.run(
                                           [&](pipeline& p) { return p.on_refused(m); });
                                     }),
      [self](const compute_done& done) {
        (void)self->state.run([&](pipeline& p) { return p.on_computed(done.work); });
      },
      [self](const peer_up& up) { self->state.peer_came(up.who); },
      [self](const peer_down& down) { self->state.peer_went(down.who, down.why); },
      [self](const joined_mesh& mesh) { self->state.joined(mesh.coordinator); },
      [self](tick) { self->state.on_tick(); },
  };
}

} // namespace gradmesh::worker
