#include "actors/coordinator/job_checkpoint.hpp"

#include "actors/coordinator/checkpoint_progress.hpp"
#include "actors/defaults.hpp"
#include "actors/server_shard/image_chunk.hpp"
#include "actors/version.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::coordinator {

job_checkpoint::job_checkpoint(node::context_ptr context, mesh::service_id self,
                               checkpoint_writer_actor writer, config::checkpoint_section settings,
                               env::time_point now)
    : context_(std::move(context)), self_(self), writer_(std::move(writer)),
      settings_(std::move(settings)), next_at_(now + settings_.interval),
      pace_(settings_.rate_mb_per_s * 1'000'000) {}

// --- asked for ----------------------------------------------------------------------------------

result<void> job_checkpoint::create(const message<schema::CreateCheckpoint>& request,
                                    const job::job_plan& plan, bool training, env::time_point now) {
  if (stage_ != stage::none)
    return error{errc::retry_later,
                 fmt::format("a checkpoint of job {} is being written since {:.1f} s; ask again "
                             "when it is done",
                             plan.job_id, env::seconds_between(began_, now))};
  if (!training)
    return error{errc::refused,
                 fmt::format("job {} is not training now; ask again when it is", plan.job_id)};
  asked_.push_back(request);
  begin(plan, now);
  return {};
}

void job_checkpoint::on_tick(const job::job_plan& plan, bool training, env::time_point now) {
  if (stage_ == stage::none) {
    const bool wanted = settings_.interval.count() > 0 || !asked_.empty();
    if (training && wanted && now >= next_at_) begin(plan, now);
    return;
  }
  if (stage_ == stage::writing) return; // the shards have done their part
  if (plan.layout.number != layout_ || plan.revision != revision_) return begin_again(now);
  if (now - advanced_at_ > plan.config.job.request_timeout)
    return give_up(
        {errc::timed_out, fmt::format("nothing came of it for {} s (job.request_timeout)",
                                      plan.config.job.request_timeout.count())},
        now);
  tell_in_time(plan, now);
  if (now - sent_at_ < defaults::coordinator::checkpoint_repeat) return;
  send_stage(now);
  ask_again(plan);
}

// --- the cut ------------------------------------------------------------------------------------

void job_checkpoint::begin(const job::job_plan& plan, env::time_point now) {
  // Also greater than those of a coordinator before this one; its clock may have begun anew.
  ticket_ = std::max(ticket_ + 1, context_->router->self().incarnation << 32);
  job_id_ = plan.job_id;
  layout_ = plan.layout.number;
  revision_ = plan.revision;
  hosts_.clear();
  for (const auto& primary : plan.layout.primaries())
    if (std::ranges::find(hosts_, primary.where) == hosts_.end()) hosts_.push_back(primary.where);
  held_.clear();
  parts_.clear();
  on_their_way_.clear();
  untold_.clear();
  began_ = advanced_at_ = now;
  held_seconds_ = 0;
  stage_ = stage::holding;
  caf::anon_send(writer_, checkpoint_begin{ticket_});
  send_stage(now);
}

void job_checkpoint::send_stage(env::time_point now) {
  sent_at_ = now;
  mesh::draft<schema::CheckpointStage> draft;
  draft->setJobId(job_id_);
  draft->setLayout(layout_);
  draft->setTicket(ticket_);
  draft->setHoldSeconds(
      std::chrono::duration<float>(defaults::coordinator::checkpoint_hold_max).count());
  auto out = draft->initStage();
  if (stage_ == stage::holding)
    out.setHold();
  else if (stage_ == stage::cutting)
    job::encode(cut_, out.initCut());
  else
    out.setOver();
  // Where it does not arrive, the next does, or the checkpoint ends by its time.
  for (const auto& host : hosts_)
    (void)context_->router->send(host, self_, draft);
}

result<void> job_checkpoint::on_held(const message<schema::PushesHeld>& held,
                                     const job::job_plan& plan, env::time_point now) {
  const auto in = *held;
  if (stage_ != stage::holding || in.getTicket() != ticket_ || plan.layout.number != layout_)
    return {};
  for (const auto entry : in.getShards()) {
    const auto shard = entry.getShard();
    if (shard >= plan.layout.size() || plan.layout.primary(shard).where != held.sender())
      return error{errc::malformed_message,
                   fmt::format("node {} holds shard {}, which is not its "
                               "own",
                               mesh::short_name(held.sender().node), shard)};
    auto begun = job::decode(entry.getDone());
    if (!begun) return begun.failure();
    held_[shard] = *std::move(begun);
  }
  advanced_at_ = now;
  if (held_.size() == plan.layout.size()) cut(plan, now);
  return {};
}

void job_checkpoint::cut(const job::job_plan& plan, env::time_point now) {
  cut_ = {};
  for (const auto& [shard, begun] : held_)
    for (const auto& [first, last] : begun.runs())
      cut_.add({first, last});
  // Workers that come back may be others, with other parts of a step: so it is all or nothing of
  // it.
  if (plan.by_rank() && !cut_.runs().empty()) {
    const auto last = cut_.runs().rbegin()->second;
    cut_ = job::piece_set((last + plan.pieces - 1) / plan.pieces * plan.pieces);
  }
  step_ = cut_.below() / plan.pieces;
  steps_ = plan.steps;
  stage_ = stage::cutting;
  send_stage(now);
}

// --- chunks -------------------------------------------------------------------------------------

void job_checkpoint::on_chunk(const message<schema::CheckpointChunk>& chunk,
                              const job::job_plan& plan, env::time_point now) {
  const auto in = *chunk;
  const auto shard = in.getShard();
  if (stage_ != stage::cutting || in.getTicket() != ticket_ || shard >= plan.layout.size() ||
      plan.layout.primary(shard).where != chunk.sender())
    return;
  auto& of_shard = parts_[shard];
  if (in.getNumber() != of_shard.came || of_shard.whole) return;
  const auto scope = server_shard::scope_of(chunk.body());
  if (!scope) return give_up(scope.failure(), now);
  if (of_shard.came == 0)
    held_seconds_ = std::max(held_seconds_, env::seconds_between(began_, now));
  advanced_at_ = now;
  const auto* bytes = reinterpret_cast<const char*>(chunk.body().data());
  auto copy = std::make_shared<store::checkpoint_chunk>(store::checkpoint_chunk{
      shard, in.getNumber(), scope->kind, std::string(bytes, chunk.body().size())});
  caf::anon_send(writer_, checkpoint_part{ticket_, std::move(copy)});
  on_their_way_.push_back(shard);
  ++of_shard.came;
  of_shard.whole = in.getLast();
  const bool all = parts_.size() == plan.layout.size() &&
                   std::ranges::all_of(parts_, [](const auto& p) { return p.second.whole; });
  if (all) hand_over(plan);
}

void job_checkpoint::hand_over(const job::job_plan& plan) {
  auto summary = std::make_shared<store::checkpoint_summary>();
  summary->created_by = std::string("gradmesh ") + version;
  summary->created_unix_ms = context_->unix_ms ? context_->unix_ms() : 0;
  summary->job_name = plan.config.job.name;
  summary->job_id = plan.job_id;
  summary->model = identity_of(plan);
  summary->step = step_;
  summary->steps = steps_;
  summary->progress = encode({config::dump_job(plan.config), cut_, plan.pieces, plan.examples});
  caf::anon_send(writer_, checkpoint_end{ticket_, std::move(summary),
                                         static_cast<std::uint32_t>(plan.layout.size())});
  stage_ = stage::writing;
}

void job_checkpoint::tell_taken(const job::job_plan& plan, std::uint32_t shard, bool again) {
  mesh::draft<schema::CheckpointTaken> taken;
  taken->setJobId(plan.job_id);
  taken->setTicket(ticket_);
  taken->setShard(shard);
  taken->setChunks(parts_[shard].taken);
  taken->setAgain(again);
  (void)context_->router->send(plan.layout.primary(shard).where, self_, taken);
}

void job_checkpoint::tell_in_time(const job::job_plan& plan, env::time_point now) {
  while (!untold_.empty() && pace_.allows(now)) {
    const auto [shard, bytes] = untold_.front();
    untold_.pop_front();
    pace_.count(bytes, now);
    ++parts_[shard].taken;
    advanced_at_ = now;
    if (shard < plan.layout.size()) tell_taken(plan, shard, false);
  }
}

void job_checkpoint::ask_again(const job::job_plan& plan) {
  if (stage_ != stage::cutting || !on_their_way_.empty() || !untold_.empty() ||
      sent_at_ - advanced_at_ < defaults::coordinator::checkpoint_repeat)
    return;
  for (const auto& [shard, of_shard] : parts_)
    if (!of_shard.whole) tell_taken(plan, shard, true);
}

// --- the disk -----------------------------------------------------------------------------------

void job_checkpoint::on_written(const checkpoint::checkpoint_event& event,
                                const job::job_plan& plan, env::time_point now) {
  if (stage_ == stage::none) return;
  if (const auto* taken = std::get_if<checkpoint::checkpoint_taken>(&event);
      taken && taken->ticket == ticket_ && !on_their_way_.empty()) {
    untold_.push_back({on_their_way_.front(), taken->bytes});
    on_their_way_.pop_front();
    tell_in_time(plan, now);
  }
  if (const auto* failed = std::get_if<checkpoint::checkpoint_failed>(&event);
      failed && failed->ticket == ticket_)
    give_up(failed->why, now);
  if (const auto* done = std::get_if<checkpoint::checkpoint_done>(&event);
      done && done->ticket == ticket_)
    finish(*done, now);
}

void job_checkpoint::finish(const checkpoint::checkpoint_done& done, env::time_point now) {
  ++figures_.written;
  figures_.number = done.number;
  figures_.step = step_;
  figures_.at = now;
  figures_.last_failure.clear();
  const auto seconds = env::seconds_between(began_, now);
  context_->log(
      env::severity::info,
      fmt::format("checkpoint {} at step {} of {}: {} bytes, {} written, {:.3f} s, pushes "
                  "waited {:.3f} s",
                  done.number, step_, steps_, done.size.bytes, done.size.own_bytes, seconds,
                  held_seconds_));
  for (const auto& request : std::exchange(asked_, {})) {
    mesh::draft<schema::CheckpointCreated> created;
    created->setJobId(job_id_);
    created->setNumber(done.number);
    created->setStep(step_);
    created->setSteps(steps_);
    created->setBytes(done.size.bytes);
    created->setWrittenBytes(done.size.own_bytes);
    created->setSeconds(seconds);
    created->setHeldSeconds(held_seconds_);
    created->setFolder(settings_.folder);
    (void)context_->router->reply(request, created);
  }
  end(now, settings_.interval);
}

void job_checkpoint::refuse(const error& why) {
  for (const auto& request : std::exchange(asked_, {}))
    (void)context_->router->reply(
        request, mesh::make_refusal({why.code, "no checkpoint was written: " + why.text}));
}

void job_checkpoint::give_up(const error& why, env::time_point now) {
  if (stage_ == stage::none) return;
  ++figures_.failed;
  figures_.last_failure = why.text;
  context_->log(env::severity::warning, "checkpoint: given up, the training goes on: " + why.text);
  refuse(why);
  end(now, settings_.interval);
}

void job_checkpoint::begin_again(env::time_point now) {
  if (stage_ == stage::none || stage_ == stage::writing) return;
  end(now, defaults::coordinator::arrival_pause);
}

void job_checkpoint::job_is_over(env::time_point now) {
  if (stage_ == stage::writing) return;
  refuse({errc::cancelled, "the job is over"});
  if (stage_ != stage::none) end(now, settings_.interval);
}

void job_checkpoint::end(env::time_point now, std::chrono::milliseconds until_next) {
  if (stage_ != stage::writing) caf::anon_send(writer_, checkpoint_drop{ticket_});
  stage_ = stage::none;
  send_stage(now); // it is over
  held_.clear();
  on_their_way_.clear();
  untold_.clear();
  next_at_ = now + until_next;
}

} // namespace gradmesh::coordinator
