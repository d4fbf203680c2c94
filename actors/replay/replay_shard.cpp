#include "actors/replay/replay_shard.hpp"

#include "actors/job/padding.hpp"
#include "actors/job/partition_body.hpp"
#include "actors/record/event_sink.hpp"
#include "actors/worker/leased_step.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::replay {
namespace {

/// Keeps what the shard tells.
class listener final : public record::event_sink {
public:
  explicit listener(std::shared_ptr<std::deque<record::event>> to) : to_(std::move(to)) {}
  void add(const record::plan_record&) override {}
  void add(const record::read_record& read) override { to_->emplace_back(read); }
  void add(const record::push_record& push) override { to_->emplace_back(push); }
  void add(const record::step_record& step) override { to_->emplace_back(step); }
  void add(const record::export_record& exported) override { to_->emplace_back(exported); }
  void end(const record::end_record& totals) override { to_->emplace_back(totals); }

private:
  std::shared_ptr<std::deque<record::event>> to_;
};

std::span<const std::uint64_t> keys_of(const parameters::slice& slice, const parameters::part& p) {
  return std::span(slice.keys).subspan(p.elements.first, p.elements.size());
}

void describe(const parameters::part& p, std::uint32_t number, schema::Part::Builder out) {
  out.setNumber(number);
  if (p.dense) return out.setBlock(p.block);
  auto keys = out.initKeys();
  keys.setCount(p.elements.size());
  keys.setSent(true);
}

} // namespace

result<std::unique_ptr<replay_shard>> replay_shard::make(record::opened_log log, replay_job& job,
                                                         replay_router& router) {
  const auto index = log.plan.shard;
  std::unique_ptr<replay_shard> made(new replay_shard(std::move(log), job, router));
  auto shard =
      server_shard::shard_job::make(job.plan, index, router.router(), {}, job.update_rules);
  if (!shard) return shard.failure();
  made->shard_ = std::move(*shard);
  made->shard_->tell(std::make_unique<listener>(made->happened_));
  return made;
}

error replay_shard::misfit(const std::string& what) const {
  return {errc::malformed_data, fmt::format("{}: {}", where(), what)};
}

result<bool> replay_shard::advance(std::vector<replay_worker>& workers, std::uint64_t& pushes) {
  bool did_some = false;
  for (;; did_some = true) {
    if (!next_) {
      auto read = log_.rest.next();
      if (!read) return read.failure();
      at_end_ = !*read;
      if (at_end_) return did_some;
      next_ = std::move(**read);
    }
    auto went = repeat(*next_, workers, pushes);
    if (!went) return went.failure();
    if (!*went) return did_some;
    next_.reset();
  }
}

result<void> replay_shard::change(replay_job& job) {
  log_.plan = std::get<record::plan_record>(*next_);
  next_.reset();
  job_ = &job;
  return shard_->change(job.plan);
}

result<bool> replay_shard::repeat(const record::event& e, std::vector<replay_worker>& workers,
                                  std::uint64_t& pushes) {
  const auto worker_of = [&](std::uint32_t rank) {
    return rank < workers.size() ? &workers[rank] : nullptr;
  };
  if (const auto* read = std::get_if<record::read_record>(&e)) {
    auto* worker = worker_of(read->rank);
    // What nothing was computed from changes nothing: an evaluation, a step that was skipped.
    if (!worker || read->for_push == 0 || !worker->pushes(read->for_push - 1)) return true;
    return repeat_read(*read, *worker);
  }
  if (const auto* push = std::get_if<record::push_record>(&e)) {
    auto* worker = worker_of(push->rank);
    if (!worker || push->what == record::outcome::repeated) return true;
    return repeat_push(*push, *worker, pushes);
  }
  if (const auto* exported = std::get_if<record::export_record>(&e)) {
    if (auto done = repeat_export(*exported); !done) return done.failure();
    return true;
  }
  if (std::holds_alternative<record::plan_record>(e)) return false;
  if (std::holds_alternative<record::step_record>(e)) {
    // It happened with the last part that it needed.
    if (auto fits = compare(e); !fits) return fits.failure();
    return true;
  }
  if (!happened_->empty()) return misfit("the shard did what is not in its log");
  return true; // the end
}

// --- reads --------------------------------------------------------------------------------------

result<bool> replay_shard::repeat_read(const record::read_record& read, replay_worker& worker) {
  const auto sequence = read.for_push - 1;
  auto work = worker.step_of(sequence);
  if (!work) return work.failure();
  const auto& slice = (*work)->slices[log_.plan.shard];
  std::vector<std::uint32_t> parts;
  for (const auto& run : read.parts)
    for (std::uint32_t i = 0; i < run.count; ++i) {
      if (run.first + i >= slice.parts.size())
        return misfit(fmt::format("worker {} read part {} for push {}; on this data its step has "
                                  "{}: the data is not that of the run",
                                  read.rank, run.first + i, sequence, slice.parts.size()));
      parts.push_back(run.first + i);
    }
  if (auto asked = ask(read, slice, parts); !asked) return asked.failure();
  if (auto fits = compare(read); !fits) return fits.failure();
  if (auto taken = take_values(slice, parts, **work); !taken) return taken.failure();
  if (auto added = worker.add_read(sequence, parts.size()); !added) return added.failure();
  return true;
}

result<void> replay_shard::ask(const record::read_record& read, const parameters::slice& slice,
                               const std::vector<std::uint32_t>& parts) {
  mesh::draft<schema::Pull> pull;
  pull->setJobId(job_->plan.job_id);
  pull->setRank(read.rank);
  pull->setShard(log_.plan.shard);
  pull->setLayout(job_->plan.layout.number);
  pull->setClock(read.clock_asked);
  pull->setForPush(read.for_push);
  pull->setAddsOwn(read.own_missing > 0);
  auto out = pull->initParts(static_cast<unsigned>(parts.size()));
  std::size_t keys = 0;
  for (unsigned i = 0; i < parts.size(); ++i) {
    const auto& part = slice.parts[parts[i]];
    describe(part, parts[i], out[i]);
    if (!part.dense) keys += part.elements.size();
  }
  const auto body = mesh::allocate_body(keys * sizeof(std::uint64_t));
  auto to = body.as<std::uint64_t>(0, keys).begin();
  for (const auto number : parts)
    if (const auto& part = slice.parts[number]; !part.dense)
      to = std::ranges::copy(keys_of(slice, part), to).out;
  pull.body = body.share();
  const auto request = router_.received(pull, read.rank);
  return request ? shard_->pull(*request) : request.failure();
}

result<void> replay_shard::take_values(const parameters::slice& slice,
                                       const std::vector<std::uint32_t>& parts,
                                       worker::step_work& work) {
  const auto format = job::transfer_format_of(job_->plan.config.job.pull_as);
  for (const auto& frame : router_.take_answers()) {
    const auto pulled = mesh::message<schema::Pulled>::decode(frame);
    if (!pulled) return pulled.failure();
    std::uint64_t at = 0;
    for (const auto number : (**pulled).getParts()) {
      const auto& part = slice.parts[parts[number]];
      decoded_.resize(parameters::part_floats(part, job_->slicer.layout().floats_per_key()));
      const auto bytes = parameters::encoded_bytes(format, decoded_.size());
      const auto encoded = pulled->array<std::byte>(at, bytes);
      if (!encoded) return misfit("the shard's answer is too short");
      if (auto done = parameters::decode(format, *encoded, decoded_); !done) return done;
      at += job::padded(bytes);
      worker::scatter(job_->slicer, slice, part, decoded_, work);
      worker::note_own_missing(work, log_.plan.shard, parts[number], (**pulled).getOwnMissing());
    }
  }
  return {};
}

// --- pushes -------------------------------------------------------------------------------------

result<bool> replay_shard::repeat_push(const record::push_record& push, replay_worker& worker,
                                       std::uint64_t& pushes) {
  if (!worker.is_computed(push.sequence)) return false;
  auto work = worker.step_of(push.sequence);
  if (!work) return work.failure();
  const auto& slice = (*work)->slices[log_.plan.shard];
  if (slice.parts.size() != push.count)
    return misfit(fmt::format("push {} of worker {} has {} parts; on this data it has {}: the data "
                              "is not that of the run",
                              push.sequence, push.rank, push.count, slice.parts.size()));
  if (push.what != record::outcome::late) {
    const auto& body = (*work)->pushes[log_.plan.shard][push.part];
    if (auto sent = send(push, slice, body); !sent) return sent.failure();
    (void)router_.take_answers();
    if (auto fits = compare(push); !fits) return fits.failure();
  }
  if (worker.add_pushed(push.sequence)) ++pushes;
  return true;
}

result<void> replay_shard::send(const record::push_record& push, const parameters::slice& slice,
                                const mesh::writable_body& body) {
  mesh::draft<schema::Push> draft;
  draft->setJobId(job_->plan.job_id);
  draft->setRank(push.rank);
  draft->setShard(log_.plan.shard);
  draft->setLayout(job_->plan.layout.number);
  auto out = draft->initParts(1)[0];
  describe(slice.parts[push.part], push.part, out.initPart());
  out.setSequence(push.sequence);
  out.setNumber(push.part);
  out.setCount(push.count);
  out.setReadClock(push.read_clock);
  out.setStep(push.step);
  out.setFirstPiece(push.first_piece);
  out.setPieces(push.pieces);
  out.setOwnSteps(push.own_steps);
  draft.body = body.share();
  const auto request = router_.received(draft, push.rank);
  return request ? shard_->push(*request) : request.failure();
}

// --- comparing ----------------------------------------------------------------------------------

result<void> replay_shard::compare(const record::event& recorded) {
  if (happened_->empty()) return misfit("the shard does not do again what is in its log");
  const auto happened = std::move(happened_->front());
  happened_->pop_front();
  const auto* push = std::get_if<record::push_record>(&recorded);
  const auto* again = std::get_if<record::push_record>(&happened);
  if (push && again) {
    auto same = *again;
    same.sample = push->sample;
    if (same == *push && again->sample != push->sample)
      return misfit(fmt::format(
          "worker {}, push {} (step {}): the gradient computed here is not the one that was "
          "applied: the data, the program or the processor is another than in the run",
          push->rank, push->sequence, push->step));
    if (same == *push) return {};
  } else if (std::visit(
                 [&](const auto& was) {
                   using kind = std::decay_t<decltype(was)>;
                   if constexpr (std::is_same_v<kind, record::plan_record>)
                     return false;
                   else
                     return std::holds_alternative<kind>(happened) &&
                            std::get<kind>(happened) == was;
                 },
                 recorded)) {
    return {};
  }
  return misfit("the shard does something else than its log says it did");
}

result<void> replay_shard::repeat_export(const record::export_record& exported) {
  mesh::draft<schema::ExportPartition> wanted;
  wanted->setJobId(job_->plan.job_id);
  wanted->setPartition(exported.partition);
  const auto request = router_.received(wanted, 0);
  if (!request) return request.failure();
  if (auto done = shard_->export_partition(*request); !done) return done;
  const auto answers = router_.take_answers();
  if (answers.empty()) return misfit("no answer to an export");
  const auto content = mesh::message<schema::PartitionContent>::decode(answers.back());
  if (!content) return content.failure();
  const auto& layout = job_->slicer.layout();
  auto decoded = job::decode_partition(*content, job_->slicer.map(), layout.row_widths());
  if (!decoded) return decoded.failure();
  exported_.push_back(std::move(*decoded));
  return compare(exported);
}

} // namespace gradmesh::replay
