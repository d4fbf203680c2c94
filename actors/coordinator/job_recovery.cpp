/// How a job waits for members that it had, and goes on with what is done again: after a restart of
/// its coordinator, and while a server is away that has the only copy of a shard.

#include "actors/coordinator/job_run.hpp"
#include "actors/defaults.hpp"

#include <algorithm>

namespace gradmesh::coordinator {
namespace {

constexpr const char* restarted = "the coordinator was restarted";

} // namespace

job_run::job_run(const job_record& known, checkpoint_makers makers, node::context_ptr context,
                 mesh::service_id service, const membership& members, job_log* log,
                 std::chrono::milliseconds grace, env::time_point now)
    : job_run(known.request, std::move(makers), std::move(context), service, members, log, now) {
  phase_ = known.phase;
  phase_number_ = known.phase_number;
  begun_ = known.begun;
  end_ = known.end;
  plan_.layout.number = known.plan.layout.number;
  if (ended()) return;
  if (!begun_) {
    // Nobody has done anything yet; whoever joins is told to forget what was said to it.
    phase_ = phase::WAITING;
    plan_.revision = known.plan.revision + 1;
    reason_ = restarted;
    wait_until_ = now + std::max<std::chrono::seconds>(request_.wait, plan_.config.job.wait);
    return;
  }
  plan_ = known.plan;
  resume_ = known.resume;
  draining_ = known.draining;
  known_ = known.incarnations;
  planned_ = known.planned;
  report_.data = known.data;
  keeper_.emplace(plan_.layout, plan_.config.job.replication, context_->rules);
  for (const auto& place : plan_.data_servers)
    loaded_.insert(place.where);
  if (known.change)
    change_ = job_change::agreed(known.change->options, known.change->step, service_);
  if (known.change_asked) {
    // What data servers hold back for a change that nobody was told of comes with a new generation.
    resume_ = std::exchange(phase_, phase::PREPARING);
  }
  taking_up_ = true;
  reason_ = restarted;
  wait_until_ = now + grace;
  report_.begin_phase(phase_, now);
  report_.set_examples_total(job::examples_before(plan_, plan_.steps));
  const auto doing = phase_ == phase::PREPARING ? resume_ : phase_;
  if (doing == phase::TRAINING)
    report_done();
  else
    report_.set_examples_before(job::examples_before(plan_, plan_.steps));
}

job_record job_run::record() const {
  job_record now{.request = request_, .plan = plan_};
  now.request.from = from_;
  now.phase = phase_;
  now.begun = begun_;
  now.resume = resume_;
  now.phase_number = phase_number_;
  now.planned = planned_;
  now.draining = draining_;
  now.data = report_.data;
  now.change_asked = change_ && !change_->step();
  if (change_ && change_->step()) now.change = agreed_change{change_->options(), *change_->step()};
  now.end = end_;
  for (const auto& place : participants())
    if (const auto* there = members_.find(place.where.node))
      now.incarnations[place.where.node] = there->identity.incarnation;
  return now;
}

std::set<mesh::node_uuid> job_run::missing() const {
  std::set<mesh::node_uuid> missing;
  for (const auto& place : participants()) {
    const auto* there = members_.find(place.where.node);
    const auto known = known_.find(place.where.node);
    if (!there || known == known_.end() || known->second != there->identity.incarnation)
      missing.insert(place.where.node);
  }
  return missing;
}

std::vector<job::place> job_run::servers_without(const std::set<mesh::node_uuid>& missing) const {
  auto servers = members_.services(mesh::service_kind::server_shard);
  std::erase_if(servers, [&](const job::place& p) { return missing.contains(p.where.node); });
  return servers;
}

bool job_run::loses_shard_without(const std::set<mesh::node_uuid>& gone) const {
  auto without = *keeper_;
  (void)without.update(servers_without(gone), draining_);
  return !without.lost().empty();
}

void job_run::await_back(const member& lost, const std::string& reason, env::time_point now) {
  context_->log(env::severity::warning, "job " + std::to_string(request_.id) +
                                            " waits for the only copy of a shard: " + reason);
  known_ = record().incarnations;
  known_[lost.identity.uuid] = lost.identity.incarnation;
  away_ = {{lost.endpoint, lost.identity.uuid}};
  gave_up_ = false;
  requests_.clear();
  round_.stop();
  still_working_.clear();
  starting_ = false;
  taking_up_ = true;
  wait_until_ = now;
  culprit_ = lost.name;
  reason_ = reason;
  await_known(now);
}

void job_run::on_failed(const error& why, const std::string& node, env::time_point now) {
  const bool finds_members = taking_up_ || phase_ == phase::PREPARING ||
                             regrouping_ == regrouping::layout ||
                             regrouping_ == regrouping::members || regrouping_ == regrouping::data;
  if (why.code != errc::timed_out || !finds_members) return fail(why, node, now);
  gave_up_ = gave_up_ || taking_up_;
  context_->log(env::severity::warning, "'" + node + "' did not wait: " + why.text);
}

void job_run::await_known(env::time_point now) {
  const auto gone = missing();
  std::string names;
  for (const auto& place : participants())
    if (gone.contains(place.where.node) && known_.contains(place.where.node) &&
        !members_.find(place.where.node) && names.find("'" + place.name + "'") == std::string::npos)
      names += (names.empty() ? "'" : ", '") + place.name + "'";
  auto until = wait_until_;
  // Where parameters would be lost, or steps to go back to a checkpoint, it is worth more.
  if (loses_shard_without(gone)) until += plan_.config.job.wait;
  if (names.empty() || now >= until) return take_up(gone, names, now);
  const auto left = std::chrono::ceil<std::chrono::seconds>(until - now);
  auto text =
      "waiting for " + names + ", at most " + std::to_string(left.count()) + " s more: " + reason_;
  changed_ = changed_ || text != report_.text;
  report_.text = std::move(text);
}

void job_run::take_up(const std::set<mesh::node_uuid>& gone, const std::string& names,
                      env::time_point now) {
  taking_up_ = false;
  const auto is_gone = [&](const auto& p) { return gone.contains(p.where.node); };
  for (auto* places : {&loaded_, &loading_, &planned_})
    std::erase_if(*places, [&](const mesh::address& a) { return gone.contains(a.node); });
  const auto reason = reason_ + (names.empty() ? "" : ", and " + names + " did not come back");
  // A server that has begun again is there, too, but without what it had.
  bool moved = keeper_->update(servers_without(gone), draining_);
  bool more = false;
  if (!settle_layout({errc::node_lost, reason}, culprit_, now, more)) return;
  moved = moved || more;
  plan_.layout = keeper_->layout();
  const bool works = std::ranges::any_of(plan_.workers, is_gone) ||
                     std::ranges::any_of(plan_.data_servers, is_gone);
  const bool running = phase_ == phase::TRAINING || phase_ == phase::EVALUATING;
  // What data servers hold back for a change that was not agreed on comes with a new generation.
  const bool changes = change_ && !change_->step();
  if (phase_ == phase::PREPARING || (running && (works || changes || gave_up_)) ||
      (phase_ == phase::SAVING && moved))
    return regroup(reason, now);
  context_->log(env::severity::info, "job " + std::to_string(request_.id) + " goes on: " + reason);
  make_checkpoints(now);
  // The latest may not have reached everybody, nor the plan, nor that the phase has begun.
  publish_layout(now);
  if (phase_ == phase::SAVING) return save(now);
  enter(phase_, now);
  starting_ = true;
  ask(plan_.data_servers, start_message(), now);
}

} // namespace gradmesh::coordinator
