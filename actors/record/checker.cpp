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
  found_.pushes_of.resize(contract_.workers());
}

void log_checker::begin() {
  clock_ = contract_.sums_steps() ? contract_.first_step() : 0;
  completed_.assign(contract_.workers(), contract_.by_rank() ? contract_.first_step() : 0);
  open_.assign(contract_.workers(), {});
  learned_.clear();
  pieces_learned_ = 0;
}

result<void> log_checker::change(const job::job_plan& next) {
  if (next.first_step < contract_.first_step() || next.workers.size() != contract_.workers())
    return wrong("the job goes on with step {} of {} and {} workers; it had {}", next.first_step,
                 next.steps, next.workers.size(), contract_.workers());
  if (auto whole = check_whole(next.first_step); !whole) return whole;
  contract_ = contract(next);
  begin();
  return {};
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
  if (clock != clock_)
    return wrong("worker {}: the shard says that its clock is {}; its log comes to {}", rank, clock,
                 clock_);
  return {};
}

bool log_checker::is_whole(std::uint32_t rank, std::uint64_t sequence) const {
  if (sequence < completed_[rank]) return true;
  // A step that was summed has all pushes whole, but for backup workers.
  if (contract_.sums_steps() && sequence < clock_) return contract_.backups() == 0;
  const auto found = open_[rank].find(sequence);
  return found != open_[rank].end() && !found->second.taken.empty() && found->second.missing == 0;
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
  if (const auto fault = contract_.fault_of(read, completed_))
    return wrong("worker {}, shard clock {}: {}", read.rank, clock_, *fault);
  auto& push = open_[read.rank][read.for_push - 1];
  push.read_clock = push.has_read ? std::min(push.read_clock, read.clock) : read.clock;
  push.has_read = true;
  ++found_.reads;
  if (contract_.by_rank()) {
    const auto slowest = contract_.sums_steps() ? clock_ : std::ranges::min(completed_);
    if (read.clock_asked > slowest)
      found_.behind_max = std::max(found_.behind_max, read.clock_asked - slowest);
  }
  return {};
}

// --- pushes -------------------------------------------------------------------------------------

bool log_checker::was_taken(const push_record& push) const {
  // Without backup workers a step that is over has all pushes whole.
  const auto over = contract_.sums_steps() ? clock_ : completed_[push.rank];
  if (push.sequence < over) return contract_.backups() == 0;
  const auto found = open_[push.rank].find(push.sequence);
  return found != open_[push.rank].end() && push.part < found->second.taken.size() &&
         found->second.taken[push.part];
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
  auto& list = open_[push.rank];
  const auto found = list.find(push.sequence);
  if (found == list.end() || !found->second.has_read)
    return wrong("{}: the worker never read for it", name_of(push));
  auto& own = found->second;
  if (push.read_clock != own.read_clock)
    return wrong("{}: it says that it read at shard clock {}; it read at {}", name_of(push),
                 push.read_clock, own.read_clock);
  const batch of{push.step, push.first_piece, push.pieces};
  if (own.taken.empty()) {
    if (auto ok = check_first_part(push); !ok) return ok;
    own.taken.resize(push.count);
    own.missing = push.count;
    own.of = of;
  }
  if (own.taken.size() != push.count || own.of != of)
    return wrong("{}: it is of {} parts and batch ({}, {}+{}), another part of {} and ({}, {}+{})",
                 name_of(push), push.count, of.step, of.first_piece, of.pieces, own.taken.size(),
                 own.of.step, own.of.first_piece, own.of.pieces);
  own.taken[push.part] = true;
  ++found_.parts;
  if (--own.missing == 0) return complete(push, found);
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
  const auto share = [&](std::uint64_t rank) {
    return rank * contract_.pieces() / contract_.workers();
  };
  if (push.step != push.sequence || push.first_piece != share(push.rank) ||
      push.first_piece + push.pieces != share(push.rank + std::uint64_t{1}))
    return wrong("{}: computed from pieces [{}, {}) of step {}, which are not the worker's",
                 name_of(push), push.first_piece, push.first_piece + push.pieces, push.step);
  return {};
}

result<void> log_checker::complete(const push_record& push, push_list::iterator of) {
  ++found_.pushes;
  ++found_.pushes_of[push.rank];
  if (contract_.sums_steps()) return {};           // until the step is applied
  const auto staleness = clock_ - push.read_clock; // read clocks are those of reads, so never later
  if (push.staleness != staleness)
    return wrong("worker {}: told that push {} was {} updates stale; it was {}", push.rank,
                 push.sequence, push.staleness, staleness);
  found_.staleness_max = std::max(found_.staleness_max, staleness);
  if (auto ok = learn(of->second.of); !ok) return ok;
  ++clock_;
  // Whole pushes leave the list in order, as they count for the worker's clock.
  auto& list = open_[push.rank];
  auto& next = completed_[push.rank];
  for (auto first = list.begin(); first != list.end() && first->first == next &&
                                  !first->second.taken.empty() && first->second.missing == 0;
       first = list.erase(first))
    ++next;
  return {};
}

result<void> log_checker::learn(const batch& b) {
  for (std::uint64_t piece = b.first_piece; piece < b.first_piece + std::uint64_t{b.pieces};
       ++piece) {
    const auto number = (b.step - contract_.first_step()) * contract_.pieces() + piece;
    ++pieces_learned_;
    auto& word = learned_[number / 64];
    const auto bit = std::uint64_t{1} << number % 64;
    if (word & bit) return wrong("piece {} of step {} was applied twice", piece, b.step);
    word |= bit;
  }
  return {};
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
    const auto push = open_[rank].find(clock_);
    if (push == open_[rank].end() || push->second.taken.empty() || push->second.missing > 0)
      return wrong("step {} was applied without the whole push of worker {}", clock_, rank);
    if (auto ok = learn(push->second.of); !ok) return ok;
  }
  ++clock_;
  ++found_.steps;
  for (auto& list : open_)
    list.erase(list.begin(), list.lower_bound(clock_));
  return {};
}

result<void> log_checker::check(const export_record&) {
  if (std::exchange(found_.finished, true)) return {};
  return check_whole(contract_.steps());
}

result<void> log_checker::check_whole(std::uint64_t until) const {
  for (std::size_t rank = 0; rank < open_.size(); ++rank)
    for (const auto& [sequence, push] : open_[rank])
      if (!push.taken.empty() && push.missing > 0)
        return wrong("worker {}: push {} was never whole: {} of {} parts are missing at the end",
                     rank, sequence, push.missing, push.taken.size());
  if (contract_.sums_steps() && clock_ != until)
    return wrong("the training ended after {} of {} steps", clock_, until);
  const auto pieces = (until - contract_.first_step()) * contract_.pieces();
  if (contract_.backups() == 0 && pieces_learned_ != pieces)
    return wrong("the training ended when {} of its {} batches were applied", pieces_learned_,
                 pieces);
  return {};
}

result<void> log_checker::check(const end_record& end) {
  if (!end.orderly) return {}; // nobody counted
  if (end.pushes == found_.pushes && end.repeated_parts == found_.repeated_parts &&
      end.updates == clock_)
    return {};
  return wrong("the shard counted {} pushes, {} repeated parts and clock {}; its log has {}, {} "
               "and {}",
               end.pushes, end.repeated_parts, end.updates, found_.pushes, found_.repeated_parts,
               clock_);
}

} // namespace gradmesh::record
