#include "actors/coordinator/job_run.hpp"

#include "actors/defaults.hpp"
#include "actors/job/partition_body.hpp"
#include "actors/parameters/table_rules.hpp"
#include "actors/store/fingerprint.hpp"
#include "actors/store/model_file.hpp"
#include "actors/version.hpp"
#include "gpu/cpu_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gradmesh::coordinator {

job_run::job_run(job_request request, node::context_ptr context, mesh::service_id service,
                 env::time_point now)
    : request_(std::move(request)), context_(std::move(context)), service_(service), report_(now),
      wait_until_(now +
                  std::min<std::chrono::seconds>(request_.wait, defaults::coordinator::wait_max)) {
  plan_.job_id = request_.id;
  plan_.config = request_.config;
}

bool job_run::ended() const {
  return phase_ == phase::DONE || phase_ == phase::FAILED || phase_ == phase::CANCELLED;
}

void job_run::fill_update(schema::JobUpdate::Builder out, env::time_point now) const {
  out.setJobId(request_.id);
  out.setName(request_.config.job.name);
  out.setStrategy(std::string(to_string(plan_.config.job.strategy)));
  report_.fill(out, plan_, now);
}

// --- barriers -----------------------------------------------------------------------------------

void job_run::enter(phase next, env::time_point now) {
  phase_ = next;
  report_.begin_phase(next, now);
  report_.text.clear();
  wait_until_ = now + plan_.config.job.request_timeout;
  waiting_for_.clear();
  asked_.clear();
  changed_ = true;
}

void job_run::finish(phase last, env::time_point now) {
  const auto text = report_.text;
  enter(last, now);
  report_.text = text;
  report_.end(now);
  mesh::draft<schema::EndJob> end;
  end->setJobId(request_.id);
  // Whoever is gone has forgotten the job already.
  for (const auto& place : participants())
    (void)context_->router->send(place.where, service_, end);
  exported_.clear();
}

bool job_run::answered(const mesh::address& who) {
  return waiting_for_.erase(who) == 1 && waiting_for_.empty();
}

template <class T>
bool job_run::ask(const job::place& place, const mesh::draft<T>& what, env::time_point now) {
  waiting_for_.insert(place.where);
  const auto sent = context_->router->send(place.where, service_, what);
  if (sent)
    asked_.insert(sent->message_id);
  else
    fail({sent.failure().code, std::string("cannot send ") + mesh::message_traits<T>::name +
                                   " to '" + place.name + "': " + sent.failure().text},
         place.name, now);
  return bool(sent);
}

template <class T>
bool job_run::ask(const std::vector<job::place>& places, const mesh::draft<T>& what,
                  env::time_point now) {
  return std::all_of(places.begin(), places.end(),
                     [&](const job::place& place) { return ask(place, what, now); });
}

std::string job_run::name_of(const mesh::address& who) const {
  for (const auto& place : participants())
    if (place.where == who) return place.name;
  return mesh::short_name(who.node);
}

std::vector<job::place> job_run::participants() const {
  auto places = plan_.layout.hosts();
  for (const auto* more : {&plan_.workers, &plan_.data_servers})
    places.insert(places.end(), more->begin(), more->end());
  return places;
}

std::string job_run::waiting_names() const {
  std::string names;
  for (const auto& who : waiting_for_)
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
  if (change_ && change_->asked(refusal.header().in_reply_to)) {
    const auto why = mesh::to_error(*refusal);
    change_->refuse({why.code, "'" + name_of(refusal.sender()) + "': " + why.text},
                    *context_->router);
    change_.reset();
    return;
  }
  // One of an earlier phase or job comes late and does not matter any more.
  if (!asked_.contains(refusal.header().in_reply_to)) return;
  const auto why = mesh::to_error(*refusal);
  const auto name = name_of(refusal.sender());
  fail({why.code, "'" + name + "': " + why.text}, name, now);
}

void job_run::on_member_lost(const member& lost, const error& why, env::time_point now) {
  if (phase_ == phase::WAITING) return;
  for (const auto& place : participants())
    if (place.where.node == lost.identity.uuid)
      return fail({errc::node_lost, "node '" + lost.name + "' is gone: " + why.text}, lost.name,
                  now);
}

std::vector<job::place> job_run::data_places(const membership& members) const {
  if (!plan_.partitioned()) return members.services(mesh::service_kind::data_server);
  std::vector<job::place> places;
  for (const auto& worker : plan_.workers)
    places.push_back(
        {{worker.where.node, {mesh::service_kind::local_data, worker.where.service.index}},
         worker.name});
  return places;
}

void job_run::on_tick(const membership& members, env::time_point now) {
  if (phase_ == phase::WAITING) {
    plan_.layout = job::unreplicated(members.services(mesh::service_kind::server_shard));
    plan_.workers = members.services(mesh::service_kind::worker);
    plan_.data_servers = data_places(members);
    std::string missing;
    const auto need = [&](const char* what, std::size_t have, std::size_t wanted) {
      if (have < wanted)
        missing += (missing.empty() ? "" : ", ") + std::to_string(wanted - have) + " more " + what;
    };
    need("server shard(s)", plan_.layout.size(), request_.min_servers);
    need("worker(s)", plan_.workers.size(), request_.min_workers);
    if (!plan_.partitioned())
      need("data server(s)", plan_.data_servers.size(), request_.min_data_servers);
    if (missing.empty()) return load(now);
    report_.text = missing;
    if (now > wait_until_)
      fail({errc::timed_out, "gave up waiting for " + report_.text + " after " +
                                 std::to_string(request_.wait.count()) +
                                 " s; start them, or ask for fewer"},
           "", now);
    return;
  }
  // Loading takes as long as the data does, and workers report for themselves in training and
  // evaluation; lost members are noticed by membership.
  const bool timed = phase_ == phase::PREPARING || phase_ == phase::SAVING || starting_;
  if (!ended() && timed && now > wait_until_)
    fail({errc::timed_out, "no answer from " + waiting_names() + " within " +
                               std::to_string(plan_.config.job.request_timeout.count()) +
                               " s (job.request_timeout)"},
         waiting_names(), now);
}

// --- loading and preparing ----------------------------------------------------------------------

void job_run::load(env::time_point now) {
  enter(phase::LOADING, now);
  mesh::draft<schema::LoadData> load;
  load->setJobId(request_.id);
  load->setConfig(config::dump_job(request_.config));
  if (ask(plan_.data_servers, load, now)) report_.text = "reading data: " + waiting_names();
}

result<void> job_run::on_data_loaded(const message<schema::DataLoaded>& loaded,
                                     env::time_point now) {
  const auto in = *loaded;
  if (phase_ != phase::LOADING || !waiting_for_.contains(loaded.sender())) return {};
  const learning::data_shape shape{in.getSparse() ? learning::layout::sparse
                                                  : learning::layout::dense,
                                   in.getFeatures(), in.getClasses()};
  const bool first = waiting_for_.size() == plan_.data_servers.size();
  auto& data = report_.data;
  if (!first && (shape != plan_.shape || data.train_examples != in.getTrainExamples() ||
                 data.test_examples != in.getTestExamples())) {
    fail({errc::malformed_data, "data servers read different data: '" + name_of(loaded.sender()) +
                                    "' has " + std::to_string(in.getTrainExamples()) +
                                    " training examples, another has " +
                                    std::to_string(data.train_examples)},
         name_of(loaded.sender()), now);
    return {};
  }
  plan_.shape = shape;
  data.train_examples = in.getTrainExamples();
  data.test_examples = in.getTestExamples();
  data.source = mesh::text(in.getSource());
  data.class_names.clear();
  for (const auto name : in.getClassNames())
    data.class_names.push_back(mesh::text(name));
  if (answered(loaded.sender())) prepare(now);
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
  if (job.backup_workers >= plan_.workers.size())
    return fail({errc::invalid_config, "job.backup_workers is " +
                                           std::to_string(job.backup_workers) + " but there are " +
                                           std::to_string(plan_.workers.size()) +
                                           " workers; a step needs one that is no backup"},
                "", now);
  plan_.steps_per_epoch = (train + job.batch_size - 1) / job.batch_size;
  const auto all = plan_.steps_per_epoch * job.epochs;
  plan_.steps = job.steps == 0 ? all : std::min<std::uint64_t>(all, job.steps);
  const auto whole_epochs = plan_.steps / plan_.steps_per_epoch;
  report_.set_examples_total(whole_epochs * train +
                             plan_.steps % plan_.steps_per_epoch * job.batch_size);
  ask_by_plan(now);
}

void job_run::ask_by_plan(env::time_point now) {
  const auto plan = job::encode(plan_);
  (void)(ask(plan_.layout.primaries(), plan, now) && ask(plan_.data_servers, plan, now) &&
         ask(plan_.workers, plan, now));
}

result<void> job_run::on_ready(const message<schema::PlanReady>& ready, env::time_point now) {
  if (phase_ != phase::PREPARING && !starting_) return {};
  if (!answered(ready.sender())) return {};
  if (phase_ == phase::PREPARING)
    start_phase(phase::TRAINING, now);
  else if (starting_)
    start_workers(now);
  return {};
}

// --- training and evaluating --------------------------------------------------------------------

void job_run::start_phase(phase next, env::time_point now) {
  enter(next, now);
  ++phase_number_;
  starting_ = true;
  mesh::draft<schema::StartPhase> start;
  start->setJobId(request_.id);
  start->setPhase(phase_number_);
  start->setKind(next == phase::TRAINING ? schema::PhaseKind::TRAIN : schema::PhaseKind::EVALUATE);
  (void)ask(plan_.data_servers, start, now);
}

void job_run::start_workers(env::time_point now) {
  starting_ = false;
  mesh::draft<schema::StartPhase> start;
  start->setJobId(request_.id);
  start->setPhase(phase_number_);
  start->setKind(phase_ == phase::TRAINING ? schema::PhaseKind::TRAIN
                                           : schema::PhaseKind::EVALUATE);
  (void)ask(plan_.workers, start, now);
}

result<void> job_run::on_progress(const message<schema::PhaseProgress>& progress,
                                  env::time_point now) {
  const auto in = *progress;
  const bool running = (phase_ == phase::TRAINING || phase_ == phase::EVALUATING) && !starting_;
  if (!running || in.getPhase() != phase_number_ || !waiting_for_.contains(progress.sender()))
    return {};
  const auto rank = in.getProgress().getRank();
  if (rank >= plan_.workers.size() || plan_.workers[rank].where != progress.sender())
    return error{errc::refused, "'" + name_of(progress.sender()) + "' is not worker " +
                                    std::to_string(rank) + " of this job"};
  report_.add(progress);
  if (!in.getDone() || !answered(progress.sender())) return {};
  if (phase_ == phase::TRAINING && change_)
    apply_change(now);
  else if (phase_ == phase::TRAINING && report_.data.test_examples > 0)
    start_phase(phase::EVALUATING, now);
  else
    save(now);
  return {};
}

// --- changing ------------------------------------------------------------------------------------

result<void> job_run::change(const message<schema::ChangeJob>& request) {
  if (phase_ != phase::TRAINING || starting_)
    return error{errc::refused, "job " + std::to_string(request_.id) + " is not training now"};
  if (change_)
    return error{errc::refused, "job " + std::to_string(request_.id) +
                                    " changes at the end of this epoch already; try again then"};
  auto begun = job_change::begin(request, plan_, phase_number_, *context_->router, service_);
  if (!begun) return begun.failure();
  change_ = *std::move(begun);
  return {};
}

result<void> job_run::on_limit(const message<schema::PhaseLimit>& limit) {
  if (!change_) return {};
  if (auto went = change_->on_limit(limit, plan_, *context_->router); !went) {
    change_->refuse(went.failure(), *context_->router);
    change_.reset();
  }
  return {};
}

void job_run::apply_change(env::time_point now) {
  plan_.config = change_->options();
  plan_.first_step = *change_->step();
  ++plan_.revision;
  change_.reset();
  context_->log(env::severity::info,
                "job " + std::to_string(request_.id) + " goes on with strategy " +
                    std::string(to_string(plan_.config.job.strategy)) + " from epoch " +
                    std::to_string(plan_.first_step / plan_.steps_per_epoch) + " on");
  enter(phase::PREPARING, now);
  ask_by_plan(now);
}

// --- saving -------------------------------------------------------------------------------------

void job_run::save(env::time_point now) {
  enter(phase::SAVING, now);
  exports_asked_ = 0;
  exporting_.clear();
  exported_.clear();
  export_more(now);
}

void job_run::export_more(env::time_point now) {
  const auto map = job::make_partition_map(plan_);
  if (!map) return fail(map.failure(), "", now);
  while (exports_asked_ < plan_.partitions &&
         exporting_.size() < defaults::coordinator::exports_in_flight) {
    mesh::draft<schema::ExportPartition> wanted;
    wanted->setJobId(request_.id);
    wanted->setPartition(exports_asked_);
    exporting_.insert(exports_asked_);
    if (!ask(plan_.layout.primary(map->owner(exports_asked_++)), wanted, now)) return;
  }
}

result<void> job_run::on_partition(const message<schema::PartitionContent>& content,
                                   env::time_point now) {
  if (phase_ != phase::SAVING || (*content).getJobId() != request_.id) return {};
  auto map = job::make_partition_map(plan_);
  if (!map) return map.failure();
  const parameters::body_layout layout(plan_.tables);
  auto partition = job::decode_partition(content, *map, layout.row_widths());
  if (!partition) {
    fail(partition.failure(), name_of(content.sender()), now);
    return {};
  }
  if (content.sender() != plan_.layout.primary(map->owner(partition->partition)).where ||
      exporting_.erase(partition->partition) == 0)
    return {};
  wait_until_ = now + plan_.config.job.request_timeout;
  exported_.push_back(std::move(*partition));
  if (exported_.size() < plan_.partitions) {
    export_more(now);
    return {};
  }
  if (auto written = write_model(); !written)
    fail(written.failure(), context_->node_name, now);
  else
    finish(phase::DONE, now);
  return {};
}

result<void> job_run::write_model() {
  const auto& config = plan_.config;
  auto map = job::make_partition_map(plan_);
  if (!map) return map.failure();
  const auto source = job::data_source_of(config);
  store::model_content model{.created_by = std::string("gradmesh ") + version,
                             .job_name = config.job.name,
                             .model_kind = job::model_options_of(config).kind,
                             .hidden = config.model.hidden,
                             .l2 = static_cast<float>(config.model.l2),
                             .seed = config.job.seed,
                             .shape = plan_.shape,
                             .class_names = report_.data.class_names,
                             .data_format = source.format,
                             .data_scale = fmt::format("{}", source.scale),
                             .feature_options = {},
                             .tables = plan_.tables,
                             .dense = {},
                             .sparse = {}};
  if (auto assembled = store::assemble_model(exported_, *map, model); !assembled) return assembled;
  exported_.clear();
  report_.parameters = model.dense.size();
  for (const auto& table : model.sparse)
    report_.parameters += table.rows.size();
  auto sha256 = store::parameters_sha256(model);
  if (!sha256) return sha256.failure();
  report_.parameters_sha256 = *sha256;
  if (config.job.model_file.empty()) return {};
  const auto bytes = store::write_model(model);
  if (!bytes) return bytes.failure();
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (auto written = context_->disk->write(config.job.model_file, text); !written)
    return error{written.failure().code,
                 "the model is trained but cannot be saved: " + written.failure().text +
                     " (job.model_file says where)"};
  report_.model_file = config.job.model_file;
  return {};
}

} // namespace gradmesh::coordinator
