#include "tools/chaos/recovery.hpp"

#include <algorithm>

namespace gradmesh::tools::chaos {
namespace {

double seconds_between(time_point a, time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

/// When the first push after the fault was acknowledged.
std::optional<time_point> first_after(const shard_pushes& pushes, time_point fault) {
  const auto found = std::ranges::find_if(
      pushes.acknowledged, [&](const answered_push& push) { return push.sent > fault; });
  return found == pushes.acknowledged.end() ? std::nullopt : std::optional(found->answered);
}

/// How a shard went on that was not the one that was hit: until the first push after the fault.
struct steadiness {
  double gap = 0; // longest without an acknowledgement, in seconds
  double rate = 0;
};
steadiness steadiness_of(const shard_pushes& shard, time_point fault, time_point until) {
  auto last = fault;
  steadiness found;
  std::size_t count = 0;
  for (const auto& push : shard.acknowledged) {
    if (push.answered > until) break;
    ++count;
    found.gap = std::max(found.gap, seconds_between(last, push.answered));
    last = push.answered;
  }
  found.gap = std::max(found.gap, seconds_between(last, until));
  found.rate = static_cast<double>(count) / seconds_between(fault, until);
  return found;
}

void add_answers(const shard_pushes& shard, const watched_fault& fault, push_recovery& to) {
  const auto meanwhile = [&](const auto& push) { return push.answered <= fault.ended; };
  to.acknowledged += shard.acknowledged.size();
  to.acknowledged_meanwhile +=
      static_cast<std::uint64_t>(std::ranges::count_if(shard.acknowledged, meanwhile));
  to.refused_meanwhile +=
      static_cast<std::uint64_t>(std::ranges::count_if(shard.refused, meanwhile));
  for (const auto& push : shard.refused) {
    const auto after = seconds_between(fault.began, push.answered);
    auto& of = to.refused.try_emplace(push.error, refusals{0, after, after}).first->second;
    of = {of.count + 1, std::min(of.first, after), std::max(of.last, after)};
  }
}

/// The least in a window; nothing if none was watched to its end.
std::optional<std::uint64_t> least_in_a_window(const shard_pushes& shard, time_point fault,
                                               time_point until, time_point watched) {
  std::optional<std::uint64_t> least;
  for (auto begin = fault; begin <= until && begin + push_window <= watched; begin += push_window) {
    const auto count = static_cast<std::uint64_t>(
        std::ranges::count_if(shard.acknowledged, [&](const answered_push& push) {
          return push.answered >= begin && push.answered < begin + push_window;
        }));
    least = std::min(least.value_or(count), count);
  }
  return least;
}

} // namespace

void recovery::take(const std::vector<worker_report>& reports) {
  for (const auto& report : reports) {
    if (seen_ || report.made <= fault_) continue;
    const auto [found, is_first] =
        first_.try_emplace(report.worker, baseline{report.incarnation, report.steps});
    auto& first = found->second;
    // A restarted worker and a new phase count from the beginning.
    if (report.incarnation != first.incarnation || report.steps < first.steps)
      first = {report.incarnation, report.steps};
    if (!is_first && report.steps > first.steps + steps_ahead) seen_ = report.made;
  }
}

push_recovery judge_pushes(const std::map<std::uint32_t, shard_pushes>& shards,
                           const watched_fault& fault) {
  push_recovery found;
  std::optional<time_point> until;
  bool all_seen = true;
  for (const auto& [number, shard] : shards) {
    add_answers(shard, fault, found);
    if (shard.primary != fault.node) continue;
    found.primary_hit = true;
    const auto first = first_after(shard, fault.began);
    all_seen = all_seen && first;
    if (first) until = std::max(until.value_or(*first), *first);
  }
  if (!until || !all_seen) return found;
  found.first_push = seconds_between(fault.began, *until);
  for (const auto& [number, shard] : shards) {
    if (shard.primary == fault.node || shard.primary.empty()) continue;
    const auto [gap, rate] = steadiness_of(shard, fault.began, *until);
    found.others_gap = std::max(found.others_gap.value_or(gap), gap);
    found.others_rate = std::min(found.others_rate.value_or(rate), rate);
    if (shard.backup == fault.node) continue; // it waits until the two are parted
    if (const auto least = least_in_a_window(shard, fault.began, *until, fault.watched))
      found.apart_least = std::min(found.apart_least.value_or(*least), *least);
  }
  return found;
}

} // namespace gradmesh::tools::chaos
