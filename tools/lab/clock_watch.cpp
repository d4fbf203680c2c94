#include "tools/lab/clock_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::tools::lab {
namespace {

/// Hands the frame on if it is a T.
template <class T, class Handler>
void if_is(const mesh::frame_ptr& f, const Handler& handle) {
  if (f->header.kind != mesh::message_traits<T>::kind) return;
  if (const auto decoded = mesh::message<T>::decode(f)) handle(*decoded);
}

} // namespace

void clock_watch::see(const mesh::node_uuid& to, const mesh::frame_ptr& f) {
  if_is<schema::Pull>(f, [&](const auto& pull) { see_pull(pull); });
  if_is<schema::Push>(f, [&](const auto& push) { see_push(push); });
  if_is<schema::Pulled>(f, [&](const auto& pulled) { see_pulled(to, pulled); });
  if_is<schema::Pushed>(f, [&](const auto& pushed) { see_pushed(to, pushed); });
}

void clock_watch::see_pull(const mesh::message<schema::Pull>& pull) {
  request asked;
  asked.is_pull = true;
  asked.rank = (*pull).getRank();
  asked.clock = (*pull).getClock();
  parts_asked_ += (*pull).getParts().size();
  requests_[{pull.header().from.uuid, pull.header().message_id}] = std::move(asked);
}

void clock_watch::see_push(const mesh::message<schema::Push>& push) {
  request asked;
  asked.rank = (*push).getRank();
  for (const auto part : (*push).getParts())
    asked.pushed.push_back({part.getSequence(), part.getNumber(), part.getCount()});
  parts_asked_ += asked.pushed.size();
  requests_[{push.header().from.uuid, push.header().message_id}] = std::move(asked);
}

void clock_watch::answer(request& of, std::uint32_t part) {
  ++(of.answered.insert(part).second ? parts_answered_ : parts_answered_twice_);
}

void clock_watch::see_pulled(const mesh::node_uuid& to,
                             const mesh::message<schema::Pulled>& pulled) {
  const auto found = requests_.find({to, pulled.header().in_reply_to});
  if (found == requests_.end() || !found->second.is_pull) return;
  auto& asked = found->second;
  const bool first = asked.answered.empty();
  for (const auto part : (*pulled).getParts())
    answer(asked, part);
  if (!first) return;
  const read_event read{pulled.header().from.uuid,
                        asked.rank,
                        asked.clock,
                        (*pulled).getClock(),
                        (*pulled).getOwnMissing(),
                        (*pulled).getHeldSeconds()};
  reads_.push_back(read);
  if (!contract_) return;
  const auto wrong = contract_(*this, read);
  if (wrong.empty()) return;
  if (violations_++ == 0)
    first_violation_ =
        fmt::format("worker {} reads at clock {}: {}", read.rank, read.asked_clock, wrong);
}

void clock_watch::see_pushed(const mesh::node_uuid& to,
                             const mesh::message<schema::Pushed>& pushed) {
  const auto found = requests_.find({to, pushed.header().in_reply_to});
  if (found == requests_.end() || found->second.is_pull) return;
  auto& asked = found->second;
  auto& state = progress_[{pushed.header().from.uuid, asked.rank}];
  for (const auto number : (*pushed).getParts()) {
    answer(asked, number);
    const auto& part = asked.pushed.at(number);
    if (state.whole.contains(part.sequence)) continue;
    auto& parts = state.parts[part.sequence];
    parts.insert(part.number);
    if (parts.size() < part.count) continue;
    state.parts.erase(part.sequence);
    state.whole.insert(part.sequence);
    ++pushes_;
    while (state.whole.contains(state.completed))
      ++state.completed;
  }
}

bool clock_watch::has(const mesh::node_uuid& shard, std::uint32_t rank, std::uint64_t step) const {
  const auto found = progress_.find({shard, rank});
  return found != progress_.end() && found->second.whole.contains(step);
}

std::uint64_t clock_watch::completed(const mesh::node_uuid& shard, std::uint32_t rank) const {
  const auto found = progress_.find({shard, rank});
  return found == progress_.end() ? 0 : found->second.completed;
}

std::uint64_t clock_watch::slowest(const mesh::node_uuid& shard) const {
  auto least = completed(shard, 0);
  for (std::uint32_t rank = 1; rank < workers_; ++rank)
    least = std::min(least, completed(shard, rank));
  return least;
}

clock_watch::contract bsp_contract(std::size_t pushes_needed) {
  return [pushes_needed](const clock_watch& watch, const read_event& read) -> std::string {
    const bool all = pushes_needed == watch.workers();
    if (read.shard_clock < read.asked_clock || (all && read.shard_clock > read.asked_clock))
      return fmt::format("the shard's clock is {}", read.shard_clock);
    if (read.asked_clock == 0) return {};
    std::size_t pushed = 0;
    for (std::uint32_t rank = 0; rank < watch.workers(); ++rank)
      pushed += watch.has(read.shard, rank, read.asked_clock - 1) ? 1 : 0;
    if (pushed >= pushes_needed) return {};
    return fmt::format("step {} has {} pushes of {}", read.asked_clock - 1, pushed, pushes_needed);
  };
}

clock_watch::contract ssp_contract(std::uint64_t staleness) {
  return [staleness](const clock_watch& watch, const read_event& read) -> std::string {
    const auto own = watch.completed(read.shard, read.rank);
    if (read.own_missing == 0 && own < read.asked_clock)
      return fmt::format("only {} of its own pushes are applied", own);
    // The worker adds the others.
    if (read.own_missing > 0 && own + 1 != read.own_missing)
      return fmt::format("{} of its own pushes are applied, and it is told {}", own,
                         read.own_missing - 1);
    auto slowest = read.asked_clock;
    for (std::uint32_t rank = 0; rank < watch.workers(); ++rank)
      if (rank != read.rank) slowest = std::min(slowest, watch.completed(read.shard, rank));
    if (slowest + staleness >= read.asked_clock) return {};
    return fmt::format("the slowest worker has completed {} steps, the staleness is {}", slowest,
                       staleness);
  };
}

clock_watch::contract delay_contract(std::uint64_t delay) {
  return [delay](const clock_watch& watch, const read_event& read) -> std::string {
    const auto workers = watch.workers();
    const auto task = read.asked_clock * workers + read.rank;
    for (std::uint64_t before = 0; before + delay < task; ++before)
      if (!watch.has(read.shard, static_cast<std::uint32_t>(before % workers), before / workers))
        return fmt::format("it is task {}, the delay {}, and task {} is not applied", task, delay,
                           before);
    return {};
  };
}

} // namespace gradmesh::tools::lab
