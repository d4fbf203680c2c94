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
                           const std::string& hit, time_point fault) {
  push_recovery found;
  std::optional<time_point> until;
  bool all_seen = true;
  for (const auto& [number, shard] : shards) {
    found.acknowledged += shard.acknowledged.size();
    for (const auto& [error, count] : shard.refused)
      found.refused += count;
    if (shard.primary != hit) continue;
    const auto first = first_after(shard, fault);
    all_seen = all_seen && first;
    if (first) until = std::max(until.value_or(*first), *first);
  }
  if (!until || !all_seen) return found;
  found.first_push = seconds_between(fault, *until);
  for (const auto& [number, shard] : shards) {
    if (shard.primary == hit || shard.primary.empty()) continue;
    auto last = fault;
    auto gap = 0.0;
    std::size_t count = 0;
    for (const auto& push : shard.acknowledged) {
      if (push.answered > *until) break;
      ++count;
      gap = std::max(gap, seconds_between(last, push.answered));
      last = push.answered;
    }
    gap = std::max(gap, seconds_between(last, *until));
    const auto rate = static_cast<double>(count) / *found.first_push;
    found.others_gap = std::max(found.others_gap.value_or(gap), gap);
    found.others_rate = std::min(found.others_rate.value_or(rate), rate);
  }
  return found;
}

} // namespace gradmesh::tools::chaos
