#include "tools/chaos/chaos_result.hpp"

#include "tools/bench/statistics.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::tools::chaos {
namespace {

using json = nlohmann::ordered_json;

/// Recovery times of a kind; the faults without one are those at the end of a job.
struct kind_times {
  std::string kind;
  std::size_t faults = 0;
  std::vector<double> seconds;
};

std::vector<kind_times> times_by_kind(const chaos_result& result) {
  std::vector<kind_times> times;
  for (const auto kind : all_fault_kinds) {
    kind_times of{std::string(to_string(kind)), 0, {}};
    for (const auto& f : result.faults) {
      if (f.what.kind != kind) continue;
      ++of.faults;
      if (f.recovery_seconds) of.seconds.push_back(*f.recovery_seconds);
    }
    if (of.faults > 0) times.push_back(std::move(of));
  }
  return times;
}

std::string seconds_text(const std::vector<double>& values, double q) {
  return values.empty() ? "-" : fmt::format("{:.2f}s", bench::quantile(values, q));
}

table times_table(const chaos_result& result) {
  table t{{{"KIND"}, {"FAULTS", true}, {"RECOVERY_MEDIAN", true}, {"P99", true}, {"MAX", true}},
          {}};
  for (const auto& of : times_by_kind(result))
    t.rows.push_back({of.kind, std::to_string(of.faults), seconds_text(of.seconds, 0.5),
                      seconds_text(of.seconds, 0.99), seconds_text(of.seconds, 1)});
  return t;
}

/// Of the faults that hit a primary, by kind.
struct kind_pushes {
  std::string kind;
  std::vector<double> first_push;
  double others_gap = 0;
  std::optional<double> others_rate;
  std::optional<std::uint64_t> apart_least;
};

std::vector<kind_pushes> pushes_by_kind(const chaos_result& result) {
  std::vector<kind_pushes> found;
  for (const auto kind : all_fault_kinds) {
    kind_pushes of{std::string(to_string(kind)), {}, 0, {}, {}};
    for (const auto& f : result.faults) {
      if (f.what.kind != kind || !f.pushes || !f.pushes->first_push) continue;
      of.first_push.push_back(*f.pushes->first_push);
      of.others_gap = std::max(of.others_gap, f.pushes->others_gap.value_or(0));
      if (const auto rate = f.pushes->others_rate)
        of.others_rate = std::min(of.others_rate.value_or(*rate), *rate);
      if (const auto least = f.pushes->apart_least)
        of.apart_least = std::min(of.apart_least.value_or(*least), *least);
    }
    if (!of.first_push.empty()) found.push_back(std::move(of));
  }
  return found;
}

table pushes_table(const std::vector<kind_pushes>& kinds) {
  table t{{{"KIND"},
           {"PRIMARIES_HIT", true},
           {"FIRST_PUSH_MEDIAN", true},
           {"P99", true},
           {"MAX", true},
           {"OTHERS_GAP", true},
           {"OTHERS_RATE", true},
           {"APART_LEAST", true}},
          {}};
  for (const auto& of : kinds)
    t.rows.push_back({of.kind, std::to_string(of.first_push.size()),
                      seconds_text(of.first_push, 0.5), seconds_text(of.first_push, 0.99),
                      seconds_text(of.first_push, 1), fmt::format("{:.2f}s", of.others_gap),
                      of.others_rate ? fmt::format("{:.0f}/s", *of.others_rate) : "-",
                      of.apart_least ? fmt::format("{}", *of.apart_least) : "-"});
  return t;
}

/// What shards did while they had no coordinator, or one that was hit.
struct pushes_without_coordinator {
  std::size_t faults = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
  std::uint64_t refused_then = 0; // when it was back, by what it decided at once
};

pushes_without_coordinator without_coordinator(const chaos_result& result) {
  pushes_without_coordinator found;
  for (const auto& f : result.faults) {
    if (f.what.node != "coordinator" || !f.pushes) continue;
    ++found.faults;
    found.acknowledged += f.pushes->acknowledged_meanwhile;
    found.refused += f.pushes->refused_meanwhile;
    for (const auto& [error, of] : f.pushes->refused)
      found.refused_then += of.count;
    found.refused_then -= f.pushes->refused_meanwhile;
  }
  return found;
}

std::optional<std::uint64_t> least_apart(const chaos_result& result) {
  std::optional<std::uint64_t> least;
  for (const auto& of : pushes_by_kind(result))
    if (of.apart_least) least = std::min(least.value_or(*of.apart_least), *of.apart_least);
  return least;
}

std::string checks_text(const chaos_result& result) {
  auto text = fmt::format("{} job(s) done under faults, {} restart(s) of processes, {:.1f} s\n",
                          result.jobs_done, result.restarts, result.seconds);
  for (const auto& counts : result.counts)
    text += fmt::format("counting model: {} examples, {} lost, {} doubled\n", counts.examples,
                        counts.lost, counts.doubled);
  if (const auto without = without_coordinator(result); without.faults > 0)
    text +=
        fmt::format("coordinator hit {} time(s): {} pushes acknowledged and {} refused while it "
                    "was away; {} refused when it was back, by what it decided then\n",
                    without.faults, without.acknowledged, without.refused, without.refused_then);
  if (const auto least = least_apart(result))
    text +=
        fmt::format("other shards while one recovers: at least {} push(es) acknowledged in each "
                    "{} ms, by shards with no copy on the node that was hit\n",
                    *least, push_window.count());
  if (!result.sha256.empty()) text += "undisturbed parameters: sha256 " + result.sha256 + "\n";
  for (const auto& violation : result.violations)
    text += "violation: " + violation + "\n";
  return text;
}

template <class Number>
json optional_number(const std::optional<Number>& value) {
  return value ? json(*value) : json();
}

json pushes_json(const std::optional<push_recovery>& pushes) {
  if (!pushes) return {};
  auto refusals = json::array();
  for (const auto& [error, of] : pushes->refused)
    refusals.push_back({{"error", error},
                        {"count", of.count},
                        {"first_seconds", of.first},
                        {"last_seconds", of.last}});
  return {{"first_push_seconds", optional_number(pushes->first_push)},
          {"others_gap_seconds", optional_number(pushes->others_gap)},
          {"others_per_second", optional_number(pushes->others_rate)},
          {"apart_least_per_window", optional_number(pushes->apart_least)},
          {"acknowledged", pushes->acknowledged},
          {"acknowledged_meanwhile", pushes->acknowledged_meanwhile},
          {"refused_meanwhile", pushes->refused_meanwhile},
          {"refusals", std::move(refusals)}};
}

json fault_json(const fault_outcome& f) {
  return {{"at_seconds", f.at_seconds},
          {"kind", to_string(f.what.kind)},
          {"shape", f.what.kind == fault_kind::partition ? json(to_string(f.what.shape)) : json()},
          {"lasts_seconds", static_cast<double>(f.what.lasts.count()) / 1000},
          {"node", f.what.node},
          {"process_id", f.process_id},
          {"recovery_seconds", optional_number(f.recovery_seconds)},
          {"back_seconds", optional_number(f.back_seconds)},
          {"pushes", pushes_json(f.pushes)}};
}

const char* verdict_word(const chaos_result& result) {
  if (result.interrupted) return "INTERRUPTED";
  if (!result.violations.empty()) return "VIOLATED";
  return result.failure.empty() ? "PASS" : "FAILED";
}

} // namespace

std::string fault_line(const fault_outcome& f) {
  auto line = fmt::format("{:8.2f}s  {} (process {}): {}", f.at_seconds, f.what.node, f.process_id,
                          describe(f.what));
  line += f.recovery_seconds ? fmt::format("; steps went on after {:.2f}s", *f.recovery_seconds)
                             : "; no step was seen after it";
  if (f.pushes && f.pushes->first_push)
    line += fmt::format(", first push after {:.3f}s", *f.pushes->first_push);
  if (f.back_seconds) line += fmt::format(", member again after {:.2f}s", *f.back_seconds);
  return line;
}

std::string verdict_line(const chaos_result& result) {
  auto line = fmt::format("verdict: {}: {} fault(s), {} violation(s)", verdict_word(result),
                          result.faults.size(), result.violations.size());
  if (!result.failure.empty()) line += "; the job was not finished: " + result.failure;
  return line;
}

std::string report_text(const chaos_result& result) {
  std::string text;
  if (!result.faults.empty()) text = join_lines(render(times_table(result)));
  if (const auto kinds = pushes_by_kind(result); !kinds.empty())
    text += join_lines(render(pushes_table(kinds)));
  return text + checks_text(result) + verdict_line(result) + "\n";
}

nlohmann::ordered_json report_json(const chaos_result& result) {
  auto faults = json::array();
  for (const auto& f : result.faults)
    faults.push_back(fault_json(f));
  auto recovery = json::array();
  for (const auto& of : times_by_kind(result)) {
    const auto at = [&](double q) {
      return of.seconds.empty() ? json() : json(bench::quantile(of.seconds, q));
    };
    recovery.push_back({{"kind", of.kind},
                        {"faults", of.faults},
                        {"median_seconds", at(0.5)},
                        {"p99_seconds", at(0.99)},
                        {"max_seconds", at(1)}});
  }
  auto pushes = json::array();
  for (const auto& of : pushes_by_kind(result))
    pushes.push_back({{"kind", of.kind},
                      {"primaries_hit", of.first_push.size()},
                      {"median_seconds", bench::quantile(of.first_push, 0.5)},
                      {"p99_seconds", bench::quantile(of.first_push, 0.99)},
                      {"max_seconds", bench::quantile(of.first_push, 1)},
                      {"others_gap_seconds", of.others_gap},
                      {"others_per_second", optional_number(of.others_rate)},
                      {"apart_least_per_window", optional_number(of.apart_least)}});
  const auto without = without_coordinator(result);
  auto counts = json::array();
  for (const auto& c : result.counts)
    counts.push_back({{"examples", c.examples},
                      {"lost", c.lost},
                      {"doubled", c.doubled},
                      {"worst_distance", c.worst}});
  return {{"seed", result.seed},
          {"heartbeat_seconds", result.heartbeat_seconds},
          {"faults", std::move(faults)},
          {"recovery", std::move(recovery)},
          {"first_push", std::move(pushes)},
          {"without_coordinator",
           {{"faults", without.faults},
            {"acknowledged", without.acknowledged},
            {"refused", without.refused},
            {"refused_then", without.refused_then}}},
          {"jobs_done", result.jobs_done},
          {"restarts", result.restarts},
          {"seconds", result.seconds},
          {"counts", std::move(counts)},
          {"undisturbed_sha256", result.sha256.empty() ? json() : json(result.sha256)},
          {"violations", result.violations},
          {"failure", result.failure.empty() ? json() : json(result.failure)},
          {"verdict", verdict_word(result)}};
}

} // namespace gradmesh::tools::chaos
