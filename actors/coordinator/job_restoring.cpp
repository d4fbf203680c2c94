/// How a job begins with a checkpoint, goes back to one, and has them made.

#include "actors/coordinator/job_run.hpp"
#include "actors/defaults.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::coordinator {

// --- making them --------------------------------------------------------------------------------

bool job_run::is_training() const {
  return phase_ == phase::TRAINING && !starting_ && !taking_up_ && regrouping_ == regrouping::no;
}

void job_run::make_checkpoints(env::time_point now) {
  const auto& settings = plan_.config.checkpoint;
  if (checkpoint_ || settings.folder.empty()) return;
  checkpoint_.emplace(
      context_, service_,
      makers_.writer(request_.id, {settings.folder, settings.keep, {.rules = context_->rules}}),
      settings, now);
}

result<void> job_run::create_checkpoint(const message<schema::CreateCheckpoint>& request,
                                        env::time_point now) {
  if (plan_.config.checkpoint.folder.empty())
    return error{errc::refused, "job " + std::to_string(request_.id) +
                                    " has no folder for checkpoints (checkpoint.folder)"};
  if (!checkpoint_)
    return error{errc::refused, "job " + std::to_string(request_.id) +
                                    " has not begun to train; ask again when it has"};
  return checkpoint_->create(request, plan_, is_training(), now);
}

result<void> job_run::on_pushes_held(const message<schema::PushesHeld>& held, env::time_point now) {
  return checkpoint_ ? checkpoint_->on_held(held, plan_, now) : result<void>();
}

result<void> job_run::on_checkpoint_chunk(const message<schema::CheckpointChunk>& chunk,
                                          env::time_point now) {
  if (checkpoint_) checkpoint_->on_chunk(chunk, plan_, now);
  return {};
}

void job_run::on_checkpoint_told(const checkpoint_told& told, env::time_point now) {
  if (const auto* event = std::get_if<checkpoint::reading_event>(&told.news->what)) {
    // One of a reader before the present is of a beginning that came to nothing.
    if (restore_ && told.source == restores_) on_reading(*event, now);
    return;
  }
  if (!checkpoint_) return;
  checkpoint_->on_written(std::get<checkpoint::checkpoint_event>(told.news->what), plan_, now);
  if (phase_ != phase::TRAINING) return;
  const auto& failure = checkpoint_->so_far().last_failure;
  const auto text = failure.empty() ? std::string() : "no checkpoint was written: " + failure;
  changed_ = changed_ || text != report_.text;
  report_.text = text;
}

// --- going on from one --------------------------------------------------------------------------

void job_run::ask_from_beginning(env::time_point now) {
  restore_.reset();
  if (from_.folder.empty()) return ask_by_plan(now);
  opened_ = false;
  restore_.emplace(makers_.reader(request_.id, ++restores_), context_->rules);
  restore_->open(from_, plan_);
  report_.text = "reading the checkpoint in '" + from_.folder + "'";
}

void job_run::on_reading(const checkpoint::reading_event& event, env::time_point now) {
  if (const auto* bad = std::get_if<checkpoint::checkpoint_unreadable>(&event))
    return fail(bad->why, context_->node_name, now);
  if (const auto* opened = std::get_if<checkpoint::checkpoint_opened>(&event))
    return on_opened(*opened, now);
  if (auto sent =
          restore_->on_chunk(std::get<checkpoint::chunk_read>(event), plan_, requests_, now);
      !sent)
    return fail(sent.failure(), context_->node_name, now);
  if (requests_.empty()) resume(now);
}

void job_run::on_opened(const checkpoint::checkpoint_opened& opened, env::time_point now) {
  if (auto fits = restore_->on_opened(opened, plan_); !fits)
    return fail(fits.failure(), context_->node_name, now);
  opened_ = true;
  if (plan_.workers.size() > workers_max(plan_)) {
    plan_.workers.resize(workers_max(plan_));
    if (plan_.partitioned()) plan_.data_servers = own_data_of(plan_.workers);
  }
  report_done();
  const auto& manifest = restore_->opened().manifest;
  for (const auto& reason : restore_->opened().passed_over) {
    context_->log(env::severity::warning, "checkpoint: passed over: " + reason);
    notice_ += (notice_.empty() ? "passed over: " : "; passed over: ") + reason;
  }
  context_->log(env::severity::info,
                fmt::format("job {} goes on from checkpoint {} in '{}', step {} of {}; {} shards "
                            "wrote it, {} take it",
                            request_.id, manifest.number, from_.folder, plan_.first_step,
                            plan_.steps, manifest.shards.size(), plan_.layout.size()));
  report_.text = "restoring checkpoint " + std::to_string(manifest.number);
  wait_until_ = now + plan_.config.job.request_timeout;
  ask_by_plan(now);
}

bool job_run::restores(env::time_point now) {
  if (!restore_) return false;
  if (restore_->is_done()) {
    restore_.reset();
    return false;
  }
  wait_until_ = now + plan_.config.job.request_timeout;
  restore_->send_more(plan_, requests_, now);
  return true;
}

bool job_run::has_checkpoint() const {
  const auto& folder = plan_.config.checkpoint.folder;
  if (folder.empty()) return false;
  if (checkpoint_ && checkpoint_->so_far().written > 0) return true;
  // Nobody else writes there (check_checkpoint_folder). Whether it is whole its reader sees.
  const store::checkpoint_store store(context_->disk, folder);
  const auto numbers = store.numbers();
  return numbers && std::ranges::any_of(*numbers, [&](std::uint64_t number) {
           return bool(store.manifest(number));
         });
}

bool job_run::go_back(const error& why, const std::string& node, env::time_point now) {
  if (has_checkpoint()) from_ = {plan_.config.checkpoint.folder, 0};
  // A clock log cannot begin in the middle of its job.
  if (from_.folder.empty() || !plan_.config.job.record.empty()) return false;
  if (checkpoint_) checkpoint_->begin_again(now);
  if (change_)
    change_->refuse({errc::refused, "the job goes back to a checkpoint"}, *context_->router);
  change_.reset();
  restore_.reset();
  round_.stop();
  culprit_ = node;
  const auto step = report_.examples_done() / std::max(1U, plan_.config.job.batch_size);
  auto reason = fmt::format("{}; the job goes back from about step {} to its latest checkpoint",
                            why.text, step);
  if (checkpoint_ && checkpoint_->so_far().written > 0)
    reason += fmt::format(" (step {})", checkpoint_->so_far().step);
  regrouping_ = regrouping::no;
  begun_ = false;
  if (!log_state()) return true;
  begin_again(reason, now);
  report_.text = notice_ = reason;
  regather_until_ = now + defaults::coordinator::regather_pause;
  // Nothing of the plan but the options holds any more.
  auto fresh = job::job_plan();
  fresh.job_id = plan_.job_id;
  fresh.config = plan_.config;
  // These count on, so that the former plan is known as such.
  fresh.revision = plan_.revision;
  fresh.layout.number = plan_.layout.number;
  plan_ = std::move(fresh);
  return true;
}

} // namespace gradmesh::coordinator
