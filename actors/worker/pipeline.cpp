#include "actors/worker/pipeline.hpp"

#include "actors/defaults.hpp"
#include "actors/worker/leased_step.hpp"
#include "actors/worker/own_writes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace gradmesh::worker {

std::string describe(const patience& limit) {
  const auto& [request, wait, why] = limit;
  if (wait.count() == 0) return fmt::format("{} s (job.request_timeout)", request.count());
  return fmt::format("{} s: job.request_timeout ({} s) and job.wait ({} s), because {}",
                     (request + wait).count(), request.count(), wait.count(), why);
}

pipeline::pipeline(pipeline_tools tools, std::uint32_t phase, pass what, pipeline_options options,
                   env::time_point now)
    : tools_(std::move(tools)), phase_(phase), pass_(what), options_(options), progress_(now),
      client_(tools_.plan, tools_.rank, tools_.service, tools_.router, tools_.slicer.layout(),
              tools_.rules),
      adds_own_(pass_ == pass::train && tools_.plan.adds_own_writes(tools_.rank)),
      at_once_(steps_at_once()) {
  progress_.account(now, {.waiting_for = stall::lease});
  if (pass_ == pass::train && tools_.plan.backup_workers() > 0)
    shard_steps_.assign(tools_.plan.layout.size(), 0);
}

std::size_t pipeline::steps_at_once() const {
  const auto& job = tools_.plan.config.job;
  const bool alone =
      pass_ == pass::train && (!job.overlap || tools_.plan.sums_steps() || adds_own_);
  return alone ? 1 : tools_.steps_at_once;
}

bool pipeline::is_over(const step_work& work) const {
  return !shard_steps_.empty() && work.step < std::ranges::min(shard_steps_);
}

void pipeline::skip(std::shared_ptr<step_work> work) {
  progress_.add_skipped(work->examples.size());
  spare_.push_back(std::move(work));
}

bool pipeline::done() const {
  return exhausted_ && leases_.empty() && unasked_.empty() && acks_missing_.empty() &&
         leased_.empty() && pulled_.empty() && computing_.empty() && !computed_;
}

result<void> pipeline::advance(env::time_point now) {
  for (const auto& [began, held] : std::exchange(arrived_, {}))
    progress_.add_pull(began, now, held);
  push_computed();
  if (auto leased = lease_more(now); !leased) return leased;
  pull_more(now);
  if (auto sent = client_.advance(now); !sent) return sent;
  if (auto begun = compute_next(); !begun) return begun;
  progress_.account(now, {.waiting_for = waiting_for(),
                          .leasing = !leases_.empty() || !unasked_.empty(),
                          .pulling = std::ranges::any_of(
                              pulled_, [](const auto& work) { return work->pulls_missing > 0; }),
                          .pushing = !acks_missing_.empty()});
  return {};
}

stall pipeline::waiting_for() const {
  if (!computing_.empty() || done()) return stall::none;
  if (!pulled_.empty() && pulled_.front()->pulls_missing > 0) return stall::pull;
  if (computed_ || !pulled_.empty() || exhausted_ || (leases_.empty() && unasked_.empty()))
    return stall::push;
  return stall::lease;
}

// --- requests without an answer -----------------------------------------------------------------

std::string pipeline::describe(const lease& l) const {
  return "a lease by data server '" + tools_.data_servers[l.data_server].name + "'";
}

result<void> pipeline::on_refused(const message<schema::Refusal>& refusal) {
  const auto found = leases_.find(refusal.header().in_reply_to);
  if (found == leases_.end()) return client_.on_refused(refusal);
  const auto why = mesh::to_error(*refusal);
  if (why.code != errc::stale_phase)
    return error{why.code, describe(found->second) + " refused: " + why.text};
  // The data server is in another phase than we: one of us is about to learn of the other's.
  unasked_.push_back(found->second);
  leases_.erase(found);
  lease_pause_ = defaults::worker::pause_when_stale;
  return {};
}

void pipeline::on_link_lost(const mesh::node_uuid& node) {
  client_.on_link_lost(node);
  std::deque<lease> lost;
  std::erase_if(leases_, [&](const auto& entry) {
    const bool gone = tools_.data_servers[entry.second.data_server].where.node == node;
    if (gone) lost.push_back(entry.second);
    return gone;
  });
  unasked_.insert(unasked_.begin(), lost.begin(), lost.end());
}

void pipeline::report(schema::WorkerProgress::Builder out) {
  progress_.report(out);
  out.setBytesSent(out.getBytesSent() + client_.traffic().bytes_sent);
  out.setBytesReceived(out.getBytesReceived() + client_.traffic().bytes_received);
}

std::optional<error> pipeline::overdue(env::time_point now, const patience& limit) const {
  auto oldest = client_.oldest();
  const auto look_at = [&](const lease& l) {
    if (!oldest || l.since < oldest->since) oldest = {l.since, describe(l)};
  };
  for (const auto& [id, l] : leases_)
    look_at(l);
  for (const auto& l : unasked_)
    look_at(l);
  if (!oldest || now - oldest->since <= limit.request_timeout + limit.wait) return std::nullopt;
  return error{errc::timed_out,
               "no answer to " + oldest->text + " within " + worker::describe(limit)};
}

// --- stages -------------------------------------------------------------------------------------

bool pipeline::may_lease() const {
  if (exhausted_) return false;
  const auto ahead = leased_.size() + pulled_.size() + leases_.size() + unasked_.size();
  if (tools_.plan.config.job.overlap)
    return ahead < options_.prefetch + defaults::worker::steps_pulled_ahead;
  // The next step begins when the last is over.
  return ahead == 0 && computing_.empty() && !computed_ && acks_missing_.empty();
}

result<void> pipeline::lease_more(env::time_point now) {
  if (lease_pause_.count() > 0)
    lease_at_ = now + std::exchange(lease_pause_, std::chrono::milliseconds(0));
  if (now < lease_at_) return {};
  while (!unasked_.empty()) {
    const auto asked = ask_for(unasked_.front());
    if (!asked) return asked.failure();
    if (!*asked) return {};
    unasked_.pop_front();
  }
  while (may_lease()) {
    const lease next{data_server_, lease_sequence_, now};
    const auto asked = ask_for(next);
    if (!asked) return asked.failure();
    ++lease_sequence_;
    // Without a way to ask it waits here, and counts as a request without an answer.
    if (!*asked) {
      unasked_.push_back(next);
      return {};
    }
  }
  return {};
}

result<bool> pipeline::ask_for(const lease& what) {
  mesh::draft<schema::LeaseBatch> draft;
  draft->setJobId(tools_.plan.job_id);
  draft->setPhase(phase_);
  draft->setRank(tools_.rank);
  draft->setSequence(what.sequence);
  const auto& server = tools_.data_servers[what.data_server];
  const auto sent = tools_.router.send(server.where, tools_.service, draft);
  if (!sent &&
      (sent.failure().code == errc::retry_later || sent.failure().code == errc::unreachable))
    return false;
  if (!sent)
    return error{sent.failure().code, "cannot send " + describe(what) + ": " + sent.failure().text};
  progress_.add_sent(sent->wire_bytes);
  leases_.emplace(sent->message_id, what);
  return true;
}

result<void> pipeline::on_batch(const message<schema::Batch>& batch) {
  const auto asked = leases_.extract(batch.header().in_reply_to);
  if (asked.empty()) return {};
  progress_.add_received(batch.frame()->wire_bytes());
  const auto in = *batch;
  if (in.getExhausted()) {
    // Leases asked for ahead are all answered so; only the first one moves on to the next server.
    if (asked.mapped().data_server == data_server_) {
      lease_sequence_ = 0;
      exhausted_ = ++data_server_ == tools_.data_servers.size();
    }
    return {};
  }
  auto work = fresh_work();
  const leased_step_tools tools{tools_.plan, tools_.slicer, tools_.model, tools_.evaluations};
  if (auto filled = fill_step(batch, pass_ == pass::train, tools, *work); !filled) return filled;
  leased_.push_back(std::move(work));
  return {};
}

void pipeline::pull_more(env::time_point now) {
  while (!leased_.empty() &&
         pulled_.size() + computing_.size() < defaults::worker::steps_pulled_ahead + at_once_) {
    auto work = std::move(leased_.front());
    leased_.pop_front();
    if (is_over(*work)) {
      skip(std::move(work));
      continue;
    }
    pulled_.push_back(std::move(work));
    pull(pulled_.back(), now);
  }
}

void pipeline::pull(const std::shared_ptr<step_work>& work, env::time_point now) {
  make_room(tools_.slicer, *work);
  if (work->memory) list_blocks(*work);
  work->read_clock.assign(work->slices.size(), 0);
  work->pulls_missing = 0;
  work->pull_number = pulls_asked_++;
  const bool waits = tools_.plan.by_rank() && pass_ == pass::train;
  work->sequence = waits ? work->step : pulled_steps_++;
  if (pass_ == pass::train && !options_.pulls) {
    std::ranges::fill(work->dense, 0.0F);
    for (auto& rows : work->rows)
      std::ranges::fill(rows, 0.0F);
    return;
  }
  const auto for_push = pass_ == pass::train ? work->sequence + 1 : 0;
  for (std::size_t shard = 0; shard < work->slices.size(); ++shard) {
    work->pulls_missing += work->slices[shard].parts.size();
    client_.pull(
        shard, {waits ? work->step : 0, for_push, false, adds_own_}, {work, &work->slices[shard]},
        [this, work, shard, began = now, missing = work->slices[shard].parts.size()](
            const parameter_client::pulled_part& part) mutable {
          announce(*work);
          scatter(tools_.slicer, work->slices[shard], part.what, part.values, *work);
          pass_on(work, work->slices[shard], part);
          note_own_missing(*work, shard, part.number, part.own_missing);
          const auto clock = part.clock;
          // The oldest part counts: what came later may have seen more.
          auto& read = work->read_clock[shard];
          read = missing == work->slices[shard].parts.size() ? clock : std::min(read, clock);
          if (!shard_steps_.empty()) shard_steps_[shard] = std::max(shard_steps_[shard], clock);
          take_in(*work, began);
          if (--missing == 0) progress_.add_answered_pull();
        });
  }
  if (pass_ != pass::train || tools_.plan.config.job.svrg_epochs == 0) return;
  if (!std::exchange(has_snapshot_, true) && !work->takes_snapshot) pull_snapshot(work, now);
}

void pipeline::pull_snapshot(const std::shared_ptr<step_work>& work, env::time_point now) {
  work->snapshot.resize(work->dense.size());
  for (std::size_t shard = 0; shard < work->slices.size(); ++shard) {
    work->pulls_missing += work->slices[shard].parts.size();
    client_.pull(
        shard, {.clock = work->step, .of_snapshot = true}, {work, &work->slices[shard]},
        [this, work, shard, began = now](const parameter_client::pulled_part& part) {
          tools_.slicer.scatter(work->slices[shard], part.what, part.values, {work->snapshot, {}});
          take_in(*work, began);
        });
  }
}

void pipeline::pass_on(const std::shared_ptr<step_work>& work, const parameters::slice& of,
                       const parameter_client::pulled_part& part) {
  if (!work->memory || !part.what.dense) return;
  const auto version = note_version(of, part.what, part.values, *work);
  // A step that may be skipped, or is added to before it is computed, is not copied ahead.
  if (!tools_.upload_ahead || adds_own_ || !shard_steps_.empty() || pulled_.front() != work) return;
  ahead_.push_back(version);
  ahead_floats_ += part.values.size();
  if (ahead_floats_ < defaults::worker::upload_ahead_floats) return;
  tools_.upload_ahead(work, std::exchange(ahead_, {}));
  ahead_floats_ = 0;
}

void pipeline::announce(const step_work& work) {
  const bool is_next = computing_.empty() && !pulled_.empty() && pulled_.front().get() == &work;
  if (!tools_.announce || !is_next || announced_ == work.pull_number + 1) return;
  announced_ = work.pull_number + 1;
  tools_.announce();
}

void pipeline::take_in(step_work& work, env::time_point began) {
  // What came last was waited for.
  if (--work.pulls_missing == 0) arrived_.push_back({began, held_seconds_});
}

result<void> pipeline::on_pulled(const message<schema::Pulled>& pulled) {
  const double held = (*pulled).getHeldSeconds();
  held_seconds_ = std::isfinite(held) ? std::max(0.0, held) : 0;
  return client_.on_pulled(pulled);
}

void pipeline::forget_own_pushes() {
  while (!own_pushes_.empty()) {
    const auto& [work, pulls_before_ack] = own_pushes_.front();
    if (!pulls_before_ack || (!pulled_.empty() && pulled_.front()->pull_number < *pulls_before_ack))
      return;
    spare_.push_back(work);
    own_pushes_.pop_front();
  }
}

result<void> pipeline::give_own_writes(step_work& work) const {
  if (!adds_own_) return {};
  const auto first = first_own_missing(work);
  std::uint64_t next = first;
  for (const auto& own : own_pushes_)
    if (own.work->step == next && next < work.step) {
      work.own_writes.push_back(own.work);
      ++next;
    }
  if (next < work.step)
    return error{errc::refused, "the parameters of step " + std::to_string(work.step) +
                                    " lack this worker's own steps from " + std::to_string(first) +
                                    " on, and " + std::to_string(next) +
                                    " is not kept here: a shard lost what it had acknowledged"};
  if (!tools_.rules.keeps(rule::own_writes_added)) work.own_writes.clear();
  if (!tools_.rules.keeps(rule::own_writes_once))
    for (std::size_t i = 0; i < next - first; ++i)
      work.own_writes.push_back(work.own_writes[i]);
  return {};
}

result<void> pipeline::compute_next() {
  while (!pulled_.empty() && pulled_.front()->pulls_missing == 0 && is_over(*pulled_.front())) {
    skip(std::move(pulled_.front()));
    pulled_.pop_front();
  }
  if (computing_.empty()) forget_own_pushes();
  while (computing_.size() < at_once_ && !computed_ && !pulled_.empty() &&
         pulled_.front()->pulls_missing == 0 && acks_missing_.size() < options_.pushes_in_flight) {
    auto next = std::move(pulled_.front());
    pulled_.pop_front();
    ahead_.clear(); // the rest goes with it
    ahead_floats_ = 0;
    if (auto given = give_own_writes(*next); !given) return given;
    computing_.push_back(next);
    tools_.compute(std::move(next));
  }
  return {};
}

result<void> pipeline::on_computed(std::shared_ptr<step_work> work) {
  if (computing_.empty() || work != computing_.front()) return {}; // of a pipeline before this one
  computing_.pop_front();
  if (work->failure) return *work->failure;
  progress_.add_step(work->metrics, work->compute_seconds, work->epoch);
  if (pass_ == pass::train)
    computed_ = std::move(work);
  else
    spare_.push_back(std::move(work));
  return {};
}

void pipeline::push_computed() {
  if (!computed_) return;
  const auto work = std::move(computed_);
  const auto sequence = work->sequence;
  // A worker with several pieces pushes several times a step where each is applied by itself.
  const auto number = pushed_steps_++;
  acks_missing_[number] = work->slices.size();
  if (adds_own_) own_pushes_.push_back({work, std::nullopt});
  for (std::size_t shard = 0; shard < work->slices.size(); ++shard)
    client_.push(
        shard,
        {.sequence = sequence,
         .read_clock = work->read_clock[shard],
         .step = work->step,
         .first_piece = work->first_piece,
         .pieces = static_cast<std::uint32_t>(work->piece_ends.size()),
         .own_steps = adds_own_ ? work->own_steps[shard] : std::vector<std::uint64_t>()},
        // Two handles of the same bodies, where they are kept here too.
        {work, &work->slices[shard]}, work->pushes[shard],
        [this, work, number](std::uint64_t staleness) { acknowledged(work, number, staleness); });
  if (!adds_own_) work->pushes.clear();
}

void pipeline::acknowledged(const std::shared_ptr<step_work>& work, std::uint64_t number,
                            std::uint64_t staleness) {
  progress_.add_acknowledged_push(staleness);
  const auto found = acks_missing_.find(number);
  if (--found->second > 0) return;
  acks_missing_.erase(found);
  if (!adds_own_) return spare_.push_back(work);
  std::ranges::find(own_pushes_, work, &own_push::work)->pulls_before_ack = pulls_asked_;
}

result<void> pipeline::on_pushed(const message<schema::Pushed>& pushed) {
  return client_.on_pushed(pushed);
}

std::shared_ptr<step_work> pipeline::fresh_work() {
  if (spare_.empty()) return std::make_shared<step_work>(tools_.memory);
  auto work = std::move(spare_.back());
  spare_.pop_back();
  return work;
}

} // namespace gradmesh::worker
