#include "actors/coordinator/job_change.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace gradmesh::coordinator {
namespace {

/// What can change while a job runs.
constexpr std::string_view changeable[] = {"job.strategy", "job.staleness", "job.delay",
                                           "job.backup_workers"};

result<config::job_config> changed_options(const message<schema::ChangeJob>& request,
                                           const job::job_plan& plan) {
  if (plan.config.job.svrg_epochs > 0)
    return error{
        errc::invalid_config,
        "a job with snapshots (job.svrg_epochs = " + std::to_string(plan.config.job.svrg_epochs) +
            ") cannot be changed while it runs; a change would lose the latest of them"};
  config::overrides over;
  for (const auto option : (*request).getOptions()) {
    const auto text = mesh::text(option);
    const auto key = text.substr(0, text.find('='));
    if (std::ranges::find(changeable, key) == std::end(changeable)) {
      std::string names;
      for (const auto name : changeable)
        names += (names.empty() ? "" : ", ") + std::string(name);
      return error{errc::invalid_config,
                   "'" + key + "' cannot be changed while a job runs; only " + names + " can"};
    }
    over.command_line.push_back(text);
  }
  if (over.command_line.empty())
    return error{errc::invalid_config, "nothing to change; say what, as in job.strategy=async"};
  auto parsed = config::parse_job(config::dump_job(plan.config), "the running job", over);
  if (!parsed) return error{errc::invalid_config, to_string(parsed.diagnostics)};
  if (parsed.value->job.backup_workers >= plan.workers.size())
    return error{errc::invalid_config,
                 "job.backup_workers would be " + std::to_string(parsed.value->job.backup_workers) +
                     " of " + std::to_string(plan.workers.size()) + " workers"};
  return *std::move(parsed.value);
}

} // namespace

result<job_change> job_change::make(const message<schema::ChangeJob>& request,
                                    const job::job_plan& plan, std::uint32_t phase,
                                    mesh::service_id self) {
  auto options = changed_options(request, plan);
  if (!options) return options.failure();
  job_change change(request, *std::move(options), phase, self);
  for (const auto& place : plan.data_servers)
    change.waiting_for_.insert(place.where);
  return change;
}

job_change job_change::agreed(config::job_config options, std::uint64_t step,
                              mesh::service_id self) {
  job_change change({}, std::move(options), 0, self);
  change.latest_ = step;
  return change;
}

void job_change::ask(const job::job_plan& plan, mesh::router& router) {
  tell(plan.data_servers, plan.job_id, step().value_or(0), router);
}

void job_change::tell(const std::vector<job::place>& data_servers, std::uint64_t job_id,
                      std::uint64_t steps, mesh::router& router) {
  mesh::draft<schema::LimitPhase> limit;
  limit->setJobId(job_id);
  limit->setPhase(phase_);
  limit->setSteps(steps);
  for (const auto& place : data_servers) {
    // One without a link is told when it is back, or the job regroups.
    if (const auto sent = router.send(place.where, self_, limit)) asked_.insert(sent->message_id);
  }
}

bool job_change::on_limit(const message<schema::PhaseLimit>& limit) {
  if (waiting_for_.erase(limit.sender()) == 0) return false;
  latest_ = std::max(latest_, (*limit).getSteps());
  return waiting_for_.empty();
}

result<void> job_change::conclude(const job::job_plan& plan, mesh::router& router) {
  tell(plan.data_servers, plan.job_id, std::min(latest_, plan.steps), router);
  if (latest_ >= plan.steps)
    return error{errc::refused, "the last epoch of job " + std::to_string(plan.job_id) +
                                    " has begun; nothing is left to change"};
  mesh::draft<schema::JobChanged> changed;
  changed->setJobId(plan.job_id);
  changed->setStep(latest_);
  changed->setEpoch(static_cast<std::uint32_t>(latest_ / plan.steps_per_epoch));
  (void)router.reply(*std::exchange(request_, std::nullopt), changed);
  return {};
}

void job_change::repeat(const job::job_plan& plan, std::uint32_t phase, mesh::router& router) {
  phase_ = phase;
  tell(plan.data_servers, plan.job_id, latest_, router);
}

std::optional<std::uint64_t> job_change::step() const {
  return waiting_for_.empty() ? std::optional(latest_) : std::nullopt;
}

void job_change::refuse(const error& why, mesh::router& router) const {
  if (request_) (void)router.reply(*request_, mesh::make_refusal(why));
}

} // namespace gradmesh::coordinator
