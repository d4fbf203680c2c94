#include "actors/record/checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gradmesh::record {
namespace {

template <class... Args>
error wrong(fmt::format_string<Args...> text, Args&&... args) {
  return {errc::refused, fmt::format(text, std::forward<Args>(args)...)};
}

std::string name_of(const push_record& push) {
  return fmt::format("worker {}, part {} of push {}", push.rank, push.part, push.sequence);
}

} // namespace

log_checker::log_checker(const job::job_plan& plan) : contract_(plan) {
  begin();
}

void log_checker::begin() {
  clock_ = contract_.sums_steps() ? contract_.first_step() : 0;
  behind_ = false;
  completed_.assign(contract_.workers(), contract_.by_rank() ? contract_.first_step() : 0);
  workers_.assign(contract_.workers(), {});
  found_.pushes_of.assign(contract_.workers(), 0);
  parts_.clear();
  learned_.clear();
  learned_before_ = pieces_learned_ = contract_.first_step() * contract_.pieces();
}

result<void> log_checker::change(const job::job_plan& plan) {
  const contract next(plan);
  if (next.pieces() != contract_.pieces())
    return wrong("the job goes on with steps of {} pieces; they had {}", next.pieces(),
                 contract_.pieces());
  if (next.has_options_of(contract_)) return begin_generation(next);
  if (next.first_step() < contract_.first_step())
    return wrong("the job goes on with step {}; it began with {}", next.first_step(),
                 contract_.first_step());
  if (auto whole = check_whole(next.first_step()); !whole) return whole;
  contract_ = next;
  begin();
  return {};
}

result<void> log_checker::begin_generation(const contract& next) {
  const auto first = next.first_step();
  if (contract_.sums_steps() && clock_ != first && clock_ != first + 1)
    return wrong("a generation of workers begins with step {} at shard clock {}", first, clock_);
  auto given_up = next.done();
  given_up.add({0, first * next.pieces()});
  for (const auto& [from, to] : given_up.runs())
    if (contract_.backups() == 0 && !is_learned({from, to}))
      return wrong("a generation of workers begins without the pieces [{}, {}), of which some were "
                   "not applied",
                   from, to);
  if (!contract_.sums_steps())
    for (auto& worker : workers_)
      parts_.merge(worker.pushes);
  std::erase_if(parts_, [](const auto& entry) { return entry.second.missing == 0; });
  behind_ = contract_.sums_steps() && clock_ == first + 1;
  if (!next.has_members_of(contract_)) ++found_.generations;
  contract_ = next;
  workers_.assign(contract_.workers(), {});
  found_.pushes_of.assign(contract_.workers(), 0);
  completed_.assign(contract_.workers(), contract_.by_rank() ? first : 0);
  for (std::uint32_t rank = 0; rank < contract_.workers(); ++rank)
    count_completed(rank);
  return {};
}

shard_findings log_checker::found() const {
  auto found = found_;
  found.clock = clock_;
  found.whole = bool(check_whole(contract_.steps()));
  return found;
}

result<void> log_checker::add(const event& e) {
  if (const auto* read = std::get_if<read_record>(&e)) return check(*read);
  if (const auto* push = std::get_if<push_record>(&e)) return check(*push);
  if (const auto* step = std::get_if<step_record>(&e)) return check(*step);
  if (const auto* exported = std::get_if<export_record>(&e)) return check(*exported);
  if (const auto* end = std::get_if<end_record>(&e)) return check(*end);
  if (const auto* gap = std::get_if<gap_record>(&e))
    return wrong("the recording ends here: {} events were not written down, because the disk "
                 "could not follow",
                 gap->events);
  return wrong("a plan in the place of an event");
}

result<void> log_checker::check_rank(std::uint32_t rank, std::uint64_t clock) const {
  if (rank >= contract_.workers())
    return wrong("there is no worker {} in a job of {}", rank, contract_.workers());
  // Workers that begin behind read what was before the last step.
  const bool of_former = behind_ && clock == contract_.first_step();
  if (clock != clock_ && !of_former)
    return wrong("worker {}: the shard says that its clock is {}; its log comes to {}", rank, clock,
                 clock_);
  return {};
}

bool log_checker::is_whole(std::uint32_t rank, std::uint64_t sequence) const {
  if (sequence < completed_[rank]) return true;
  // A step that was summed has all pushes whole, but for backup workers.
  if (contract_.sums_steps() && sequence < clock_) return contract_.backups() == 0;
  const auto& pushes = workers_[rank].pushes;
  if (contract_.by_piece()) return is_learned(contract_.share(sequence, rank));
  const auto found = pushes.find(sequence);
  return found != pushes.end() && found->second.missing == 0;
}

std::uint64_t log_checker::begun_of(std::uint32_t rank) const {
  auto begun = completed_[rank];
  if (!contract_.by_piece()) return begun;
  for (const auto* pushes : {&workers_[rank].pushes, &parts_})
    for (const auto& [piece, push] : *pushes) {
      const auto step = piece / contract_.pieces();
      const auto share = contract_.share(step, rank);
      if (share.first <= piece && piece < share.last) begun = std::max(begun, step + 1);
    }
  return begun;
}

std::uint64_t log_checker::key_of(const push_record& push) const {
  return contract_.by_piece() ? pieces_of(push).first : push.sequence;
}

job::piece_run log_checker::pieces_of(const push_record& push) const {
  const auto first = push.step * contract_.pieces() + push.first_piece;
  return {first, first + push.pieces};
}

// --- reads --------------------------------------------------------------------------------------

result<void> log_checker::check(const read_record& read) {
  if (auto ok = check_rank(read.rank, read.clock); !ok) return ok;
  if (read.for_push == 0) {
    ++found_.others;
    return {};
  }
  // Asked for again by a worker that had its answer, as the push shows.
  if (is_whole(read.rank, read.for_push - 1)) {
    ++found_.repeated_reads;
    return {};
  }
  // Nor does it matter when its step went without it.
  const bool step_is_over = contract_.sums_steps() && read.for_push - 1 < clock_;
  if (found_.finished && step_is_over) {
    ++found_.repeated_reads;
    return {};
  }
  if (found_.finished)
    return wrong("worker {} read for its push {} after the training", read.rank, read.for_push - 1);
  if (contract_.by_rank() && read.for_push != read.clock_asked + 1)
    return wrong("worker {} read at its clock {} for its push {}", read.rank, read.clock_asked,
                 read.for_push - 1);
  if (const auto fault = contract_.fault_of(read, completed_, begun_of(read.rank)))
    return wrong("worker {}, shard clock {}: {}", read.rank, clock_, *fault);
  workers_[read.rank].reads[read.for_push - 1].insert(read.clock);
  ++found_.reads;
  if (contract_.by_rank()) {
    auto seen = completed_; // its own writes, whoever added them
    seen[read.rank] = std::max(seen[read.rank], read.clock_asked);
    const auto slowest = contract_.sums_steps() ? clock_ : std::ranges::min(seen);
    if (read.clock_asked > slowest)
      found_.behind_max = std::max(found_.behind_max, read.clock_asked - slowest);
  }
  return {};
}

// --- pushes -------------------------------------------------------------------------------------

bool log_checker::was_taken(const push_record& push) const {
  // Without backup workers a step that is over has all pushes whole.
  if (contract_.sums_steps() && push.sequence < clock_) return contract_.backups() == 0;
  if (!contract_.sums_steps() && is_learned(pieces_of(push))) return true;
  const auto taken_in = [&](const std::map<std::uint64_t, open_push>& pushes, std::uint64_t key) {
    const auto found = pushes.find(key);
    return found != pushes.end() && push.part < found->second.taken.size() &&
           found->second.taken[push.part];
  };
  return taken_in(workers_[push.rank].pushes, key_of(push)) ||
         taken_in(parts_, pieces_of(push).first);
}

result<void> log_checker::check(const push_record& push) {
  if (auto ok = check_rank(push.rank, push.clock); !ok) return ok;
  switch (push.what) {
  case outcome::repeated:
    if (!was_taken(push))
      return wrong("{}: dropped as repeated, but it was not there before", name_of(push));
    ++found_.repeated_parts;
    return {};
  case outcome::late:
    if (contract_.backups() == 0 || push.sequence >= clock_)
      return wrong("{}: dropped as late at shard clock {}", name_of(push), clock_);
    ++found_.late_parts;
    return {};
  case outcome::applied:
  case outcome::held:
    break;
  }
  if (was_taken(push)) return wrong("{}: applied again at shard clock {}", name_of(push), clock_);
  if (contract_.sums_steps() != (push.what == outcome::held))
    return wrong("{}: {} at shard clock {} under {}", name_of(push),
                 push.what == outcome::held ? "held for its step" : "applied by itself", clock_,
                 contract_.text());
  if (contract_.sums_steps() && push.sequence != clock_)
    return wrong("{}: taken for step {} while step {} is open", name_of(push), push.sequence,
                 clock_);
  return check_taken(push);
}

result<void> log_checker::check_taken(const push_record& push) {
  auto& worker = workers_[push.rank];
  const auto read = worker.reads.find(push.sequence);
  if (read == worker.reads.end()) return wrong("{}: the worker never read for it", name_of(push));
  // One of them: of those that it read again, because an answer did not come, the last.
  const auto& clocks = read->second;
  const auto of = pieces_of(push);
  if (!clocks.contains(push.read_clock))
    return wrong("{}: it says that it read at shard clock {}; it read at {}", name_of(push),
                 push.read_clock, fmt::join(clocks, ", "));
  if (contract_.adds_own(push.rank) && push.own_steps != push.sequence)
    return wrong("{}: computed from parameters with {} of the worker's own steps instead of {}",
                 name_of(push), push.own_steps, push.sequence);
  auto found = worker.pushes.find(key_of(push));
  if (found == worker.pushes.end()) {
    if (auto ok = check_first_part(push); !ok) return ok;
    open_push begun{std::vector<bool>(push.count), push.count, of};
    if (const auto before = parts_.extract(of.first); !before.empty())
      begun = std::move(before.mapped());
    found = worker.pushes.emplace(key_of(push), std::move(begun)).first;
  }
  auto& own = found->second;
  if (own.taken.size() != push.count || own.of != of)
    return wrong("{}: it is of {} parts and pieces [{}, {}), another part of {} and [{}, {})",
                 name_of(push), push.count, of.first, of.last, own.taken.size(), own.of.first,
                 own.of.last);
  own.taken[push.part] = true;
  ++found_.parts;
  if (--own.missing == 0) return complete(push, own);
  if (push.staleness == 0) return {};
  return wrong("{}: told a staleness of {} before the push was whole", name_of(push),
               push.staleness);
}

result<void> log_checker::check_first_part(const push_record& push) const {
  if (push.step < contract_.first_step() || push.step >= contract_.steps() ||
      push.first_piece + push.pieces > contract_.pieces())
    return wrong("{}: pieces [{}, {}) of step {} are not of this job ({} pieces, steps {} to {})",
                 name_of(push), push.first_piece, push.first_piece + push.pieces, push.step,
                 contract_.pieces(), contract_.first_step(), contract_.steps());
  if (!contract_.by_rank()) return {};
  const auto share = contract_.share(push.step, push.rank);
  const auto of = pieces_of(push);
  const bool own = contract_.by_piece()
                       ? of.first >= share.first && of.last <= share.last && push.pieces == 1
                       : of == share;
  if (push.step != push.sequence || !own)
    return wrong("{}: computed from pieces [{}, {}) of step {}, which are not the worker's",
                 name_of(push), push.first_piece, push.first_piece + push.pieces, push.step);
  return {};
}

result<void> log_checker::complete(const push_record& push, const open_push& whole) {
  ++found_.pushes;
  ++found_.pushes_of[push.rank];
  if (contract_.sums_steps()) return {};           // until the step is applied
  const auto staleness = clock_ - push.read_clock; // read clocks are those of reads, so never later
  if (push.staleness != staleness)
    return wrong("worker {}: told that push {} was {} updates stale; it was {}", push.rank,
                 push.sequence, push.staleness, staleness);
  found_.staleness_max = std::max(found_.staleness_max, staleness);
  if (auto ok = learn(whole.of); !ok) return ok;
  ++clock_;
  count_completed(push.rank);
  return {};
}

void log_checker::count_completed(std::uint32_t rank) {
  if (contract_.sums_steps()) return;
  auto& worker = workers_[rank];
  auto& next = completed_[rank];
  if (contract_.by_piece()) {
    while (next < contract_.steps() && is_learned(contract_.share(next, rank)))
      ++next;
    const auto open = next * contract_.pieces();
    worker.pushes.erase(worker.pushes.begin(), worker.pushes.lower_bound(open));
  } else {
    // Whole pushes leave the list in order.
    auto& list = worker.pushes;
    for (auto first = list.begin();
         first != list.end() && first->first == next && first->second.missing == 0;
         first = list.erase(first))
      ++next;
  }
  worker.reads.erase(worker.reads.begin(), worker.reads.lower_bound(next));
}

result<void> log_checker::learn(const job::piece_run& pieces) {
  for (auto number = pieces.first; number < pieces.last; ++number) {
    ++pieces_learned_;
    auto& word = learned_[number / 64];
    const auto bit = std::uint64_t{1} << number % 64;
    if (word & bit || number < learned_before_)
      return wrong("piece {} of step {} was applied twice", number % contract_.pieces(),
                   number / contract_.pieces());
    word |= bit;
  }
  return {};
}

bool log_checker::is_learned(const job::piece_run& pieces) const {
  for (auto number = std::max(pieces.first, learned_before_); number < pieces.last; ++number) {
    const auto word = learned_.find(number / 64);
    if (word == learned_.end() || !(word->second >> number % 64 & 1)) return false;
  }
  return true;
}

// --- steps, and the end -------------------------------------------------------------------------

result<void> log_checker::check(const step_record& step) {
  if (!contract_.sums_steps()) return wrong("a step was summed under {}", contract_.text());
  if (step.clock != clock_)
    return wrong("step {} was applied at shard clock {}", step.clock, clock_);
  if (step.ranks.size() != contract_.step_pushes())
    return wrong("step {} was applied with the pushes of {} workers; {} of {} workers wants {}",
                 clock_, step.ranks.size(), contract_.text(), contract_.workers(),
                 contract_.step_pushes());
  if (std::ranges::adjacent_find(step.ranks, std::greater_equal()) != step.ranks.end())
    return wrong("step {} was not summed in the order of the ranks ({})", clock_,
                 fmt::join(step.ranks, ", "));
  for (const auto rank : step.ranks) {
    if (auto ok = check_rank(rank, clock_); !ok) return ok;
    const auto& pushes = workers_[rank].pushes;
    const auto push = pushes.find(clock_);
    if (push == pushes.end() || push->second.missing > 0)
      return wrong("step {} was applied without the whole push of worker {}", clock_, rank);
    if (auto ok = learn(push->second.of); !ok) return ok;
  }
  ++clock_;
  ++found_.steps;
  for (auto& worker : workers_) {
    worker.pushes.erase(worker.pushes.begin(), worker.pushes.lower_bound(clock_));
    worker.reads.erase(worker.reads.begin(), worker.reads.lower_bound(clock_));
  }
  return {};
}

result<void> log_checker::check(const export_record&) {
  if (std::exchange(found_.finished, true)) return {};
  return check_whole(contract_.steps());
}

result<void> log_checker::check_whole(std::uint64_t until) const {
  for (std::size_t rank = 0; rank < workers_.size(); ++rank)
    for (const auto& [key, push] : workers_[rank].pushes)
      if (push.missing > 0)
        return wrong("worker {}: the push of the pieces [{}, {}) was never whole: {} of {} parts "
                     "are missing at the end",
                     rank, push.of.first, push.of.last, push.missing, push.taken.size());
  if (contract_.sums_steps() && clock_ != until)
    return wrong("the training ended after {} of {} steps", clock_, until);
  const auto pieces = until * contract_.pieces();
  if (contract_.backups() == 0 && pieces_learned_ != pieces)
    return wrong("the training ended when {} of its {} batches were applied", pieces_learned_,
                 pieces);
  return {};
}

result<void> log_checker::check(const end_record& end) {
  found_.moved = end.how == ending::moved;
  if (end.how == ending::stopped) return {}; // nobody counted
  if (end.pushes == found_.pushes && end.repeated_parts == found_.repeated_parts &&
      end.updates == clock_)
    return {};
  return wrong("the shard counted {} pushes, {} repeated parts and clock {}; its log has {}, {} "
               "and {}",
               end.pushes, end.repeated_parts, end.updates, found_.pushes, found_.repeated_parts,
               clock_);
}

} // namespace gradmesh::record
