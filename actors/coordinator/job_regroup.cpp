/// How a job goes on when members are lost or come: what becomes of its shards, and who works for
/// it from where on.

#include "actors/coordinator/job_run.hpp"
#include "actors/defaults.hpp"

#include <algorithm>

namespace gradmesh::coordinator {
namespace {

/// The pieces that both have.
job::piece_set common(const job::piece_set& a, const job::piece_set& b) {
  job::piece_set both;
  for (const auto& [first, last] : a.runs())
    for (const auto& [other_first, other_last] : b.runs())
      both.add({std::max(first, other_first), std::min(last, other_last)});
  return both;
}

} // namespace

// --- who is lost, who comes ---------------------------------------------------------------------

void job_run::on_member_lost(const member& lost, const error& why, env::time_point now) {
  if (taking_up_) away_[lost.endpoint] = lost.identity.uuid;
  if (ended() || phase_ == phase::WAITING || taking_up_) return;
  if (begun_ && loses_shard_without({}))
    return await_back(lost, "node '" + lost.name + "' went away: " + why.text, now);
  const auto& node = lost.identity.uuid;
  const auto has = [&](const std::vector<job::place>& places) {
    return std::ranges::any_of(places, [&](const job::place& p) { return p.where.node == node; });
  };
  std::erase_if(loaded_, [&](const mesh::address& a) { return a.node == node; });
  std::erase_if(loading_, [&](const mesh::address& a) { return a.node == node; });
  std::erase_if(planned_, [&](const mesh::address& a) { return a.node == node; });
  round_.forget(node);
  const auto reason = "node '" + lost.name + "' is gone: " + why.text;
  // One that reads the data to take a place is not in the plan yet.
  const bool awaited = std::ranges::any_of(requests_.waiting_for(),
                                           [&](const mesh::address& a) { return a.node == node; });
  const bool works = has(plan_.workers) || has(plan_.data_servers) || awaited;
  if (works || has(plan_.layout.hosts())) culprit_ = lost.name;
  if (!begun_) {
    if (works || has(plan_.layout.hosts())) begin_again(reason, now);
    return;
  }
  bool moved = false;
  if (!settle_layout({errc::node_lost, reason}, lost.name, now, moved)) return;
  const bool running = phase_ == phase::TRAINING || phase_ == phase::EVALUATING;
  if ((works && running) || ((works || moved) && phase_ == phase::PREPARING) ||
      (moved && phase_ == phase::SAVING))
    regroup(reason, now);
  else if (moved)
    publish_layout(now);
}

void job_run::on_member_joined(const member& joined) {
  if (const auto known = known_.find(joined.identity.uuid);
      taking_up_ && known != known_.end() && known->second == joined.identity.incarnation)
    return;
  // Where another node listens there is nobody to wait for.
  if (const auto former = away_.find(joined.endpoint);
      !joined.endpoint.empty() && former != away_.end())
    known_.erase(former->second);
  dismiss(joined); // whatever it may hold of this job it held as a member that was given up
}

void job_run::on_member_back(const member& back, env::time_point now) {
  if (ended()) return dismiss(back);
  const auto& node = back.identity.uuid;
  std::erase_if(loading_, [&](const mesh::address& a) { return a.node == node; });
  requests_.repeat_to(node, now);
  if (change_ && is_training()) change_->ask(plan_, *context_->router);
}

void job_run::dismiss(const member& from) {
  mesh::draft<schema::EndJob> end;
  end->setJobId(request_.id);
  for (const auto service : from.services)
    if (service.kind != mesh::service_kind::coordinator && service.kind != mesh::service_kind::node)
      (void)context_->router->send({from.identity.uuid, service}, service_, end);
}

void job_run::begin_again(const std::string& reason, env::time_point now) {
  mesh::draft<schema::EndJob> end;
  end->setJobId(request_.id);
  for (const auto& place : participants())
    (void)context_->router->send(place.where, service_, end);
  enter(phase::WAITING, now);
  ++plan_.revision; // whoever has heard of the former beginning forgets it
  restore_.reset();
  reason_ = reason;
  wait_until_ = now + std::max<std::chrono::seconds>(request_.wait, plan_.config.job.wait);
  context_->log(env::severity::warning,
                "job " + std::to_string(request_.id) + " begins again: " + reason);
}

void job_run::load_newcomers() {
  mesh::draft<schema::LoadData> load;
  load->setJobId(request_.id);
  load->setConfig(config::dump_job(request_.config));
  const auto there = plan_.partitioned()
                         ? own_data_of(members_.services(mesh::service_kind::worker))
                         : members_.services(mesh::service_kind::data_server);
  for (const auto& place : there)
    if (!loaded_.contains(place.where) && !draining_.contains(place.where.node) &&
        loading_.insert(place.where).second)
      (void)context_->router->send(place.where, service_, load);
}

void job_run::take_in_arrivals(env::time_point now) {
  bool moved = false;
  if (!settle_layout({errc::node_lost, "a server is gone"}, culprit_, now, moved)) return;
  if (moved) publish_layout(now);
  if (plan_.first_step >= plan_.steps) return;
  load_newcomers();
  std::set<mesh::address> found;
  auto workers = choose_workers(members_, plan_, draining_);
  if (plan_.partitioned())
    std::erase_if(workers, [&](const job::place& w) {
      return !loaded_.contains(own_data_of({w}).front().where);
    });
  for (const auto& worker : workers)
    if (job::index_of(plan_.workers, worker.where) == plan_.workers.size())
      found.insert(worker.where);
  for (const auto& data : choose_data_servers(members_, plan_, workers, draining_, loaded_))
    if (job::index_of(plan_.data_servers, data.where) == plan_.data_servers.size())
      found.insert(data.where);
  if (found != arrivals_) {
    arrivals_ = found;
    arrivals_since_ = now;
  }
  if (arrivals_.empty() || now - arrivals_since_ < defaults::coordinator::arrival_pause) return;
  std::string names;
  for (const auto& who : arrivals_)
    names += (names.empty() ? "'" : ", '") + name_of(who) + "'";
  regroup(names + (arrivals_.size() == 1 ? " has come" : " have come"), now);
}

result<std::uint32_t> job_run::drain(const member& node, env::time_point now) {
  if (!begun_ || phase_ == phase::WAITING)
    return error{errc::refused, "job " + std::to_string(request_.id) +
                                    " has not begun to train; try again when it does"};
  if (taking_up_)
    return error{errc::refused, "job " + std::to_string(request_.id) + " is " + report_.text +
                                    "; try again when it goes on"};
  const auto& uuid = node.identity.uuid;
  auto draining = draining_;
  draining.insert(uuid);
  const auto remain = [&](mesh::service_kind kind) {
    auto left = members_.services(kind);
    std::erase_if(left, [&](const job::place& p) { return draining.contains(p.where.node); });
    return left.size();
  };
  const auto needs = [&](const char* what) {
    return error{errc::refused, "'" + node.name + "' has the last " + what + " that job " +
                                    std::to_string(request_.id) +
                                    " can work with; start another first"};
  };
  if (remain(mesh::service_kind::worker) < workers_min(plan_)) return needs("worker");
  if (!plan_.partitioned() && remain(mesh::service_kind::data_server) == 0)
    return needs("data server");
  if (remain(mesh::service_kind::server_shard) == 0) return needs("server");
  draining_ = std::move(draining);
  if (!log_state()) return log_->failure();
  const auto replicas = keeper_->replicas_on({uuid});
  bool moved = false;
  if (!settle_layout({errc::node_lost, "a server is gone"}, culprit_, now, moved)) return replicas;
  const auto works = [&](const std::vector<job::place>& places) {
    return std::ranges::any_of(places, [&](const job::place& p) { return p.where.node == uuid; });
  };
  const bool running = phase_ == phase::TRAINING || phase_ == phase::EVALUATING;
  if ((running && (works(plan_.workers) || works(plan_.data_servers))) ||
      (moved && (phase_ == phase::PREPARING || phase_ == phase::SAVING)))
    regroup("node '" + node.name + "' is to leave", now);
  else if (moved)
    publish_layout(now);
  return replicas;
}

// --- layouts ------------------------------------------------------------------------------------

bool job_run::settle_layout(const error& why, const std::string& node, env::time_point now,
                            bool& changed) {
  changed = keeper_->update(members_.services(mesh::service_kind::server_shard), draining_);
  if (changed) plan_.layout = keeper_->layout();
  if (keeper_->lost().empty()) return true;
  const auto shard = keeper_->lost().front();
  if (go_back({why.code, "shard " + std::to_string(shard) + " is lost: " + why.text}, node, now))
    return false;
  fail({why.code, "shard " + std::to_string(shard) + " is lost: " + why.text +
                      ", and no other server has a copy of it that is whole" +
                      (plan_.config.job.replication == 1 ? " (job.replication = 1)" : "")},
       node, now);
  return false;
}

void job_run::introduce(const std::vector<job::place>& hosts) {
  const auto plan = job::encode(plan_);
  for (const auto& host : hosts)
    if (planned_.insert(host.where).second)
      (void)context_->router->send(host.where, service_, plan);
}

void job_run::on_unplanned(const mesh::address& host) {
  // A primary without the plan is another life of its node, which is about to register.
  if (std::ranges::any_of(plan_.layout.primaries(),
                          [&](const job::place& p) { return p.where == host; }))
    return;
  planned_.erase(host);
  introduce(plan_.layout.hosts());
}

void job_run::publish_layout(env::time_point now) {
  plan_.layout = keeper_->layout();
  if (!log_state()) return;
  introduce(plan_.layout.hosts());
  // While the job regroups its workers are those of a generation that is over: they stay behind.
  round_.begin(plan_.layout, request_.id,
               regrouping_ == regrouping::no ? plan_.workers : std::vector<job::place>(), now);
  changed_ = true;
}

result<void> job_run::on_layout_taken(const message<schema::LayoutTaken>& taken,
                                      env::time_point now) {
  if (!keeper_ || ended() || taking_up_) return {};
  if (auto noted = round_.on_taken(taken); !noted) return noted;
  if (!round_.taken()) return {};
  if (phase_ == phase::SAVING && exports_asked_ == 0) export_more(now);
  if (regrouping_ != regrouping::layout) return {};
  if (resume_ == phase::SAVING) {
    regrouping_ = regrouping::no;
    save(now);
    return {};
  }
  set_progress();
  regrouping_ = regrouping::members;
  gather_members(now);
  return {};
}

result<void> job_run::on_backup_report(const message<schema::BackupReport>& report,
                                       env::time_point now) {
  const auto in = *report;
  if (!keeper_ || ended() || !begun_ || taking_up_) return {};
  const bool changed = in.getSynced()
                           ? keeper_->synced(in.getShard(), in.getPairing(), report.sender())
                           : keeper_->part(in.getShard(), in.getPairing(), report.sender());
  if (!changed) return {};
  if (!in.getSynced())
    context_->log(env::severity::warning, "shard " + std::to_string(in.getShard()) +
                                              " loses its backup, which does not answer '" +
                                              name_of(report.sender()) + "'");
  bool moved = false; // a shard whose node drains can leave it now
  if (!settle_layout({errc::node_lost, "a server is gone"}, culprit_, now, moved)) return {};
  // Members that regroup learn it with the layout of their new generation, which has to be a new
  // one: the hosts act on this one from now on.
  if (phase_ == phase::PREPARING)
    regroup(reason_, now);
  else
    publish_layout(now);
  return {};
}

// --- a new generation ---------------------------------------------------------------------------

void job_run::regroup(const std::string& reason, env::time_point now) {
  if (phase_ != phase::PREPARING) resume_ = phase_;
  if (change_ && !change_->step()) {
    change_->refuse({errc::refused, "the job regroups, for " + reason + "; try again then"},
                    *context_->router);
    change_.reset();
  }
  context_->log(env::severity::warning,
                "job " + std::to_string(request_.id) + " regroups: " + reason);
  enter(phase::PREPARING, now);
  reason_ = reason;
  report_.text = "regrouping: " + reason;
  regrouping_ = regrouping::layout;
  if (resume_ != phase::TRAINING) plan_.first_step = plan_.steps; // does not train again
  if (context_->rules.keeps(rule::generation_fenced)) keeper_->renumber();
  publish_layout(now);
}

void job_run::set_progress() {
  auto lowest = ~std::uint64_t{0};
  std::optional<job::piece_set> done;
  for (const auto& [shard, progress] : round_.progress()) {
    lowest = std::min(lowest, progress.clock);
    done = done ? common(*done, progress.done) : progress.done;
  }
  if (resume_ != phase::TRAINING) return;
  plan_.done = {};
  plan_.first_step =
      std::min(plan_.sums_steps() ? lowest : done->below() / plan_.pieces, plan_.steps);
  if (!plan_.by_rank()) plan_.done = *done;
  report_done();
  if (!change_ || plan_.first_step < *change_->step()) return;
  plan_.config = change_->options();
  change_.reset();
}

void job_run::report_done() {
  auto examples = job::examples_before(plan_, plan_.first_step);
  const auto mark = plan_.first_step * plan_.pieces;
  for (const auto& [first, last] : plan_.done.runs())
    for (auto piece = std::max(first, mark); piece < last; ++piece)
      examples += job::examples_of_piece(plan_, piece);
  report_.set_examples_before(examples);
}

void job_run::gather_members(env::time_point now) {
  const auto workers = choose_workers(members_, plan_, draining_);
  const auto data = choose_data_servers(members_, plan_, workers, draining_, loaded_);
  if (workers.size() < workers_min(plan_) || data.empty()) {
    regrouping_ = regrouping::members;
    if (!short_since_) short_since_ = now;
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - *short_since_);
    const auto whom = workers.size() < workers_min(plan_) ? "a worker" : "a data server";
    report_.text = std::string("waiting for ") + whom + " since " + std::to_string(waited.count()) +
                   " s, at most " + std::to_string(plan_.config.job.wait.count()) +
                   " s: " + reason_;
    if (waited >= plan_.config.job.wait)
      fail({errc::node_lost, "gave up waiting for " + std::string(whom) + " after " +
                                 std::to_string(plan_.config.job.wait.count()) +
                                 " s (job.wait): " + reason_},
           culprit_, now);
    return;
  }
  short_since_.reset();
  wait_until_ = now + plan_.config.job.request_timeout;
  auto unread = data;
  std::erase_if(unread, [&](const job::place& p) { return loaded_.contains(p.where); });
  if (!unread.empty()) {
    regrouping_ = regrouping::data;
    mesh::draft<schema::LoadData> load;
    load->setJobId(request_.id);
    load->setConfig(config::dump_job(request_.config));
    requests_.clear();
    ask(unread, std::move(load), now);
    report_.text = "reading data: " + waiting_names();
    return;
  }
  plan_.workers = workers;
  plan_.data_servers = data;
  ++plan_.revision;
  regrouping_ = regrouping::plan;
  report_.text = "generation " + std::to_string(plan_.revision) + ": " + reason_;
  ask_by_plan(now);
}

} // namespace gradmesh::coordinator
