#include "actors/coordinator/job_run.hpp"

#include "actors/defaults.hpp"
#include "actors/parameters/table_rules.hpp"
#include "gpu/cpu_backend.hpp"

#include <algorithm>
#include <capnp/dynamic.h>
#include <utility>

namespace gradmesh::coordinator {
namespace {

void copy(capnp::DynamicStruct::Reader from, capnp::DynamicStruct::Builder to) {
  for (const auto field : from.getSchema().getFields())
    if (from.has(field)) to.set(field, from.get(field));
}

} // namespace

job_run::job_run(job_request request, checkpoint_makers makers, node::context_ptr context,
                 mesh::service_id service, const membership& members, job_log* log,
                 env::time_point now)
    : request_(std::move(request)), makers_(std::move(makers)), context_(std::move(context)),
      service_(service), members_(members), log_(log), report_(now),
      requests_(*context_->router, service),
      wait_until_(now +
                  std::min<std::chrono::seconds>(request_.wait, defaults::coordinator::wait_max)),
      round_(*context_->router, service), from_(request_.from) {
  plan_.job_id = request_.id;
  plan_.config = request_.config;
  plan_.layout.number = 0; // none yet
}

bool job_run::ended() const {
  return has_ended(phase_);
}

result<void> job_run::begin() {
  return log_ ? log_->begin(record()) : result<void>();
}

bool job_run::log_state() {
  if (!log_) return true;
  // Broken: at the latest the next tick writes what this should.
  if (!context_->rules.keeps(rule::log_first) && !std::exchange(log_due_, !log_due_)) return true;
  return bool(log_->append(record()));
}

void job_run::fill_update(schema::JobUpdate::Builder out, env::time_point now) const {
  if (end_) return copy(end_->getRoot<schema::JobUpdate>().asReader(), out);
  out.setJobId(request_.id);
  out.setName(request_.config.job.name);
  out.setStrategy(std::string(to_string(plan_.config.job.strategy)));
  out.setGeneration(plan_.revision);
  if (keeper_) job::encode(keeper_->layout(), request_.id, out.initLayout());
  report_.fill(out, plan_, now);
}

// --- barriers -----------------------------------------------------------------------------------

void job_run::enter(phase next, env::time_point now) {
  phase_ = next;
  report_.begin_phase(next, now);
  report_.text.clear();
  wait_until_ = now + plan_.config.job.request_timeout;
  requests_.clear();
  still_working_.clear();
  starting_ = false;
  changed_ = true;
}

void job_run::finish(phase last, env::time_point now) {
  if (checkpoint_) checkpoint_->job_is_over(now);
  restore_.reset();
  const auto text = report_.text;
  enter(last, now);
  report_.text = text;
  report_.end(now);
  auto last_word = std::make_shared<capnp::MallocMessageBuilder>();
  fill_update(last_word->initRoot<schema::JobUpdate>(), now);
  end_ = std::move(last_word);
  if (!log_state()) return;
  mesh::draft<schema::EndJob> end;
  end->setJobId(request_.id);
  // Whoever is gone has forgotten the job already.
  for (const auto& place : participants())
    (void)context_->router->send(place.where, service_, end);
  exported_.clear();
  unsaved_ = {};
}

template <class T>
void job_run::ask(const std::vector<job::place>& places, mesh::draft<T> what, env::time_point now) {
  const auto shared = std::make_shared<const mesh::draft<T>>(std::move(what));
  for (const auto& place : places)
    requests_.ask(place.where, shared, now);
}

std::string job_run::name_of(const mesh::address& who) const {
  for (const auto& place : participants())
    if (place.where == who) return place.name;
  const auto* known = members_.find(who.node);
  return known ? known->name : mesh::short_name(who.node);
}

std::vector<job::place> job_run::participants() const {
  auto places = plan_.layout.hosts();
  for (const auto* more : {&plan_.workers, &plan_.data_servers})
    places.insert(places.end(), more->begin(), more->end());
  return places;
}

std::string job_run::waiting_names() const {
  std::string names;
  const auto& waits = round_.taken() ? requests_.waiting_for() : round_.waiting_for();
  for (const auto& who : waits)
    names += (names.empty() ? "" : ", ") + name_of(who);
  return names;
}

// --- how a job ends before its time -------------------------------------------------------------

void job_run::fail(const error& why, const std::string& node, env::time_point now) {
  if (ended()) return;
  report_.text = why.text;
  report_.failed_node = node;
  context_->log(env::severity::error,
                "job " + std::to_string(request_.id) + " failed: " + why.text);
  finish(phase::FAILED, now);
}

void job_run::cancel(env::time_point now) {
  if (ended()) return;
  report_.text = "cancelled";
  finish(phase::CANCELLED, now);
}

void job_run::on_refused(const message<schema::Refusal>& refusal, env::time_point now) {
  const auto number = refusal.header().in_reply_to;
  if (change_ && change_->asked(number)) {
    const auto why = mesh::to_error(*refusal);
    change_->refuse({why.code, "'" + name_of(refusal.sender()) + "': " + why.text},
                    *context_->router);
    change_.reset();
    return;
  }
  // One of an earlier phase or job comes late and does not matter any more.
  if (!requests_.asked(number) && !round_.asked(number)) return;
  const auto why = mesh::to_error(*refusal);
  if (why.code == errc::not_found && round_.asked(number)) return on_unplanned(refusal.sender());
  const auto name = name_of(refusal.sender());
  const auto text = "'" + name + "': " + why.text;
  // Who was lost first is what people look for.
  if (regrouping_ != regrouping::no && !culprit_.empty())
    fail({why.code, text + " (after " + reason_ + ")"}, culprit_, now);
  else
    fail({why.code, text}, name, now);
}

void job_run::on_tick(env::time_point now) {
  if (log_due_) (void)log_state();
  if (ended()) return;
  if (taking_up_) return await_known(now);
  if (checkpoint_) checkpoint_->on_tick(plan_, is_training(), now);
  if (phase_ == phase::WAITING) return wait_for_members(now);
  // What a shard sends of the model is large, and another copy of it helps nobody.
  requests_.repeat(now, phase_ == phase::SAVING ? plan_.config.job.request_timeout / 4
                                                : defaults::coordinator::repeat_interval);
  round_.on_tick(now);
  if (regrouping_ == regrouping::members) gather_members(now);
  if (phase_ == phase::TRAINING && !starting_) take_in_arrivals(now);
  if (unsaved_.bytes.empty()) return check_deadline(now);
  if (now >= unsaved_.again) write_model(now);
}

void job_run::check_deadline(env::time_point now) {
  // Loading takes as long as the data does, and workers report for themselves in training and
  // evaluation; lost members are noticed by membership.
  // So does reading a checkpoint.
  const bool patient = regrouping_ == regrouping::members || regrouping_ == regrouping::data ||
                       (restore_ && (!opened_ || restore_->waits_for_disk()));
  const bool timed =
      (phase_ == phase::PREPARING && !patient) || phase_ == phase::SAVING || starting_;
  if (ended() || !timed || now <= wait_until_) return;
  fail({errc::timed_out, "no answer from " + waiting_names() + " within " +
                             std::to_string(plan_.config.job.request_timeout.count()) +
                             " s (job.request_timeout)"},
       waiting_names(), now);
}

// --- waiting, loading, preparing ----------------------------------------------------------------

void job_run::wait_for_members(env::time_point now) {
  const auto servers = members_.services(mesh::service_kind::server_shard);
  plan_.workers = members_.services(mesh::service_kind::worker);
  plan_.data_servers = plan_.partitioned() ? own_data_of(plan_.workers)
                                           : members_.services(mesh::service_kind::data_server);
  std::string missing;
  const bool any = regather_until_ && now > *regather_until_;
  const auto need = [&](const char* what, std::size_t have, std::size_t wanted,
                        std::size_t least = 1) {
    wanted = std::max(any ? 1 : wanted, least);
    if (have < wanted)
      missing += (missing.empty() ? "" : ", ") + std::to_string(wanted - have) + " more " + what;
  };
  need("server shard(s)", servers.size(), request_.min_servers);
  need("worker(s)", plan_.workers.size(), request_.min_workers, workers_min(plan_));
  if (!plan_.partitioned())
    need("data server(s)", plan_.data_servers.size(), request_.min_data_servers);
  if (missing.empty()) {
    // After a beginning that came to nothing the number goes on, so that nothing of it counts.
    keeper_.emplace(servers, plan_.config.job.replication, plan_.layout.number + 1,
                    context_->rules);
    plan_.layout = keeper_->layout();
    return load(now);
  }
  report_.text = missing + (reason_.empty() ? "" : " (" + reason_ + ")");
  if (now > wait_until_)
    fail({errc::timed_out, "gave up waiting for " + report_.text + " after " +
                               std::to_string(request_.wait.count()) +
                               " s; start them, or ask for fewer"},
         culprit_, now);
}

void job_run::load(env::time_point now) {
  enter(phase::LOADING, now);
  loaded_.clear();
  mesh::draft<schema::LoadData> load;
  load->setJobId(request_.id);
  load->setConfig(config::dump_job(request_.config));
  ask(plan_.data_servers, std::move(load), now);
  report_.text = "reading data: " + waiting_names();
}

result<void> job_run::on_data_loaded(const message<schema::DataLoaded>& loaded,
                                     env::time_point now) {
  const auto in = *loaded;
  const learning::data_shape shape{in.getSparse() ? learning::layout::sparse
                                                  : learning::layout::dense,
                                   in.getFeatures(), in.getClasses()};
  auto& data = report_.data;
  const bool awaited = requests_.take(loaded.header());
  if (!awaited && loading_.erase(loaded.sender()) == 0) return {};
  if (!loaded_.empty() && (shape != plan_.shape || data.train_examples != in.getTrainExamples() ||
                           data.test_examples != in.getTestExamples())) {
    const error why{errc::malformed_data,
                    "data servers read different data: '" + name_of(loaded.sender()) + "' has " +
                        std::to_string(in.getTrainExamples()) + " training examples, another has " +
                        std::to_string(data.train_examples)};
    if (awaited)
      fail(why, name_of(loaded.sender()), now);
    else // a newcomer that the job can do without
      context_->log(env::severity::warning, why.text);
    return {};
  }
  loaded_.insert(loaded.sender());
  plan_.shape = shape;
  data.train_examples = in.getTrainExamples();
  data.test_examples = in.getTestExamples();
  data.source = mesh::text(in.getSource());
  data.class_names.clear();
  for (const auto name : in.getClassNames())
    data.class_names.push_back(mesh::text(name));
  if (!awaited || !requests_.empty()) return {};
  if (phase_ == phase::LOADING)
    prepare(now);
  else if (regrouping_ == regrouping::data)
    gather_members(now);
  return {};
}

void job_run::prepare(env::time_point now) {
  enter(phase::PREPARING, now);
  const auto& job = plan_.config.job;
  const auto train = report_.data.train_examples;
  const auto backend = gpu::make_cpu_backend();
  auto model = learning::make_model(job::model_options_of(plan_.config), plan_.shape, *backend);
  if (!model) return fail(model.failure(), "", now);
  plan_.tables = (*model)->tables();
  plan_.examples = train;
  // Whether a rule is known only the shards can say; they are asked before the job starts, too.
  if (auto named = parameters::check_table_names(plan_.tables, job::optimizer_options_of(plan_));
      !named)
    return fail({errc::invalid_config, named.failure().text}, "", now);
  plan_.partitions = plan_.config.mesh.partitions;
  plan_.pieces =
      job.deterministic ? job.micro_batches : static_cast<std::uint32_t>(plan_.workers.size());
  if (plan_.pieces < plan_.workers.size())
    return fail({errc::invalid_config,
                 "job.micro_batches is " + std::to_string(plan_.pieces) + " but there are " +
                     std::to_string(plan_.workers.size()) + " workers; each needs at least one"},
                "", now);
  plan_.steps_per_epoch = (train + job.batch_size - 1) / job.batch_size;
  const auto all = plan_.steps_per_epoch * job.epochs;
  plan_.steps = job.steps == 0 ? all : std::min<std::uint64_t>(all, job.steps);
  report_.set_examples_total(job::examples_before(plan_, plan_.steps));
  resume_ = phase::TRAINING;
  ask_from_beginning(now);
}

void job_run::ask_by_plan(env::time_point now) {
  if (!log_state()) return;
  const auto hosts = plan_.layout.hosts();
  planned_.clear();
  for (const auto& host : hosts)
    planned_.insert(host.where);
  ask(hosts, job::encode(plan_), now);
  ask(plan_.data_servers, job::encode(plan_), now);
  ask(plan_.workers, job::encode(plan_), now);
}

result<void> job_run::on_ready(const message<schema::PlanReady>& ready, env::time_point now) {
  if (!requests_.take(ready.header()) || !requests_.empty()) return {};
  if (phase_ == phase::PREPARING)
    resume(now);
  else if (starting_)
    start_workers(now);
  return {};
}

void job_run::resume(env::time_point now) {
  if (restores(now)) return;
  make_checkpoints(now);
  regrouping_ = regrouping::no;
  begun_ = true;
  plan_.begins = false;
  if (resume_ == phase::EVALUATING)
    start_phase(phase::EVALUATING, now);
  else if (plan_.first_step < plan_.steps)
    start_phase(phase::TRAINING, now);
  else
    after_training(now);
  if (!notice_.empty()) report_.text = std::exchange(notice_, {});
}

// --- training and evaluating --------------------------------------------------------------------

void job_run::start_phase(phase next, env::time_point now) {
  enter(next, now);
  ++phase_number_;
  if (!log_state()) return;
  starting_ = true;
  arrivals_.clear();
  ask(plan_.data_servers, start_message(), now);
}

mesh::draft<schema::StartPhase> job_run::start_message() const {
  mesh::draft<schema::StartPhase> start;
  start->setJobId(request_.id);
  start->setPhase(phase_number_);
  start->setRevision(plan_.revision);
  start->setKind(phase_ == phase::TRAINING ? schema::PhaseKind::TRAIN
                                           : schema::PhaseKind::EVALUATE);
  return start;
}

void job_run::start_workers(env::time_point now) {
  starting_ = false;
  // Where a change was agreed on, these data servers do not know it yet.
  if (change_ && phase_ == phase::TRAINING)
    change_->repeat(plan_, phase_number_, *context_->router);
  for (const auto& worker : plan_.workers)
    still_working_.insert(worker.where);
  ask(plan_.workers, start_message(), now);
}

result<void> job_run::on_progress(const message<schema::PhaseProgress>& progress,
                                  env::time_point now) {
  const auto in = *progress;
  const bool running = (phase_ == phase::TRAINING || phase_ == phase::EVALUATING) && !starting_;
  if (!running || in.getPhase() != phase_number_ || !still_working_.contains(progress.sender()))
    return {};
  const auto rank = in.getProgress().getRank();
  if (rank >= plan_.workers.size() || plan_.workers[rank].where != progress.sender())
    return error{errc::refused, "'" + name_of(progress.sender()) + "' is not worker " +
                                    std::to_string(rank) + " of this job"};
  report_.add(progress);
  if (!in.getDone()) return {};
  still_working_.erase(progress.sender());
  if (!still_working_.empty()) return {};
  if (phase_ == phase::TRAINING && change_)
    apply_change(now);
  else if (phase_ == phase::TRAINING)
    after_training(now);
  else
    save(now);
  return {};
}

void job_run::after_training(env::time_point now) {
  if (report_.data.test_examples > 0)
    start_phase(phase::EVALUATING, now);
  else
    save(now);
}

// --- changing ------------------------------------------------------------------------------------

result<void> job_run::change(const message<schema::ChangeJob>& request) {
  if (phase_ != phase::TRAINING || starting_ || taking_up_)
    return error{errc::refused, "job " + std::to_string(request_.id) + " is not training now"};
  if (change_)
    return error{errc::refused, "job " + std::to_string(request_.id) +
                                    " changes at the end of this epoch already; try again then"};
  auto made = job_change::make(request, plan_, phase_number_, service_);
  if (!made) return made.failure();
  change_ = *std::move(made);
  if (!log_state()) return log_->failure();
  change_->ask(plan_, *context_->router);
  return {};
}

result<void> job_run::on_limit(const message<schema::PhaseLimit>& limit) {
  if (!change_ || !change_->on_limit(limit) || !log_state()) return {};
  if (auto went = change_->conclude(plan_, *context_->router); !went) {
    change_->refuse(went.failure(), *context_->router);
    change_.reset();
  }
  return {};
}

void job_run::apply_change(env::time_point now) {
  plan_.config = change_->options();
  plan_.first_step = *change_->step();
  plan_.done = {};
  report_.set_examples_before(job::examples_before(plan_, plan_.first_step));
  resume_ = phase::TRAINING;
  ++plan_.revision;
  change_.reset();
  context_->log(env::severity::info,
                "job " + std::to_string(request_.id) + " goes on with strategy " +
                    std::string(to_string(plan_.config.job.strategy)) + " from epoch " +
                    std::to_string(plan_.first_step / plan_.steps_per_epoch) + " on");
  enter(phase::PREPARING, now);
  ask_by_plan(now);
}

} // namespace gradmesh::coordinator
