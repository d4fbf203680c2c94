#include "actors/record/verify.hpp"

#include "config/diagnostic.hpp"

#include <capnp/serialize.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>

namespace gradmesh::record {
namespace {

result<opened_log> open_log(const named_log& log) {
  log_reader reader(log.file, log.bytes);
  auto first = reader.next();
  if (!first) return first.failure();
  auto plan = std::get<plan_record>(**first); // the reader sees to it that the plan is first
  auto job = decode_plan(plan);
  if (!job) return error{job.failure().code, log.file + ": " + job.failure().text};
  if (plan.shard >= job->layout.size())
    return error{errc::malformed_data, fmt::format("{}: it is of shard {}; its job has {}",
                                                   log.file, plan.shard, job->layout.size())};
  return opened_log{std::move(reader), std::move(plan), std::move(*job)};
}

/// What one log says of its job. `plans`: those that the job went on by.
struct checked_log {
  std::string contract;
  std::vector<std::string> plans;
  std::uint64_t generations = 0;
  shard_findings found;
};

result<void> check_log(log_reader& log, log_checker& checker, checked_log& out) {
  for (auto e = log.next();; e = log.next()) {
    if (!e) return e.failure();
    if (!*e) return {};
    result<void> ok;
    if (const auto* plan = std::get_if<plan_record>(&**e)) {
      const auto next = decode_plan(*plan);
      if (!next) return error{next.failure().code, log.where() + ": " + next.failure().text};
      ok = checker.change(*next);
      const auto generations = checker.found().generations;
      out.contract += (generations > out.generations ? ", then with other workers " : ", then ") +
                      checker.contract_of_job().text();
      out.generations = generations;
      out.plans.push_back(plan->plan);
    } else {
      ok = checker.add(**e);
    }
    if (!ok) return ok;
  }
}

} // namespace

result<job::job_plan> decode_plan(const plan_record& plan) {
  const auto words = plan.plan.size() / sizeof(capnp::word);
  if (plan.plan.size() % sizeof(capnp::word) != 0)
    return error{errc::malformed_data,
                 fmt::format("its plan has {} bytes, which is no message", plan.plan.size())};
  auto aligned = kj::heapArray<capnp::word>(words);
  if (words > 0) std::memcpy(aligned.begin(), plan.plan.data(), plan.plan.size());
  try {
    capnp::FlatArrayMessageReader reader(aligned);
    auto decoded = job::decode(reader.getRoot<schema::JobPlan>());
    if (decoded && decoded->pieces > pieces_max)
      return error{errc::malformed_data,
                   fmt::format("its plan cuts a step into {} pieces", decoded->pieces)};
    if (!decoded)
      return error{errc::malformed_data, "its plan: " + config::printable(decoded.failure().text)};
    return decoded;
  } catch (const kj::Exception& e) {
    return error{errc::malformed_data, mesh::malformed("its plan", e).text};
  }
}

result<std::vector<opened_log>> open_logs(std::span<const named_log> logs) {
  std::vector<opened_log> opened;
  for (const auto& log : logs) {
    auto one = open_log(log);
    if (!one) return one.failure();
    opened.push_back(std::move(*one));
  }
  if (opened.empty()) return error{errc::invalid_argument, "there is no log to read"};
  std::ranges::sort(opened, {}, [](const opened_log& log) { return log.plan.shard; });
  const auto& first = opened.front();
  for (std::size_t i = 0; i < opened.size(); ++i) {
    const auto& log = opened[i];
    if (log.plan.plan != first.plan.plan || log.plan.epoch != first.plan.epoch)
      return error{
          errc::refused,
          fmt::format("{} and {} are not of the same job; if one is left from an earlier run, "
                      "remove it",
                      first.rest.file(), log.rest.file())};
    if (log.plan.shard != i)
      return error{errc::refused,
                   log.plan.shard < i
                       ? fmt::format("{} is of shard {} again", log.rest.file(), log.plan.shard)
                       : fmt::format("the log of shard {} is missing; the job has {} shards", i,
                                     log.job.layout.size())};
  }
  if (opened.size() < first.job.layout.size())
    return error{errc::refused, fmt::format("the log of shard {} is missing; the job has {} shards",
                                            opened.size(), first.job.layout.size())};
  return opened;
}

namespace {

/// Reads what is left of a log. Errors: as those of `verify`.
result<checked_log> check_rest(opened_log& log) {
  log_checker checker(log.job);
  checked_log checked{checker.contract_of_job().text(), {}, 0, {}};
  auto ok = check_log(log.rest, checker, checked);
  if (!ok && ok.failure().code != errc::refused) return ok.failure();
  if (!ok)
    return error{errc::refused, fmt::format("{}: shard {}: {}", log.rest.where(), log.plan.shard,
                                            ok.failure().text)};
  checked.found = checker.found();
  return checked;
}

/// Whether a log lacks what its shard did in the end, as it says, or as the others show.
bool ends_early(const opened_log& log, const shard_findings& found, bool others_finished) {
  const auto map = job::make_partition_map(log.job);
  const bool has_work = !map || map->partitions_of(log.plan.shard).size() > 0;
  return has_work && !found.finished && !found.whole && (found.moved || others_finished);
}

error early_end(const opened_log& log, const shard_findings& found) {
  return {errc::refused,
          fmt::format("{}: shard {}: the record ends here, at shard clock {}, before the training "
                      "was over: another server has the shard from then on, and keeps no log. "
                      "Everything up to here keeps the contract. For a whole record the servers "
                      "have to stay as long as the job runs",
                      log.rest.where(), log.plan.shard, found.clock)};
}

/// Whether two logs say the same of the plans that their job went on by, as far as both go.
bool same_plans(const checked_log& a, const checked_log& b) {
  const auto both = std::min(a.plans.size(), b.plans.size());
  if (a.found.finished && b.found.finished && a.plans.size() != b.plans.size()) return false;
  return std::equal(a.plans.begin(), a.plans.begin() + static_cast<std::ptrdiff_t>(both),
                    b.plans.begin());
}

result<std::vector<checked_log>> check_all(std::vector<opened_log>& logs) {
  std::vector<checked_log> all;
  bool finished = false;
  for (auto& log : logs) {
    auto checked = check_rest(log);
    if (!checked) return checked.failure();
    finished = finished || checked->found.finished;
    all.push_back(std::move(*checked));
  }
  for (std::size_t i = 0; i < logs.size(); ++i)
    if (ends_early(logs[i], all[i].found, finished)) return early_end(logs[i], all[i].found);
  return all;
}

} // namespace

result<shard_findings> verify_shard(const named_log& log) {
  auto opened = open_log(log);
  if (!opened) return opened.failure();
  auto checked = check_rest(*opened);
  if (!checked) return checked.failure();
  return checked->found;
}

result<verification> verify(std::span<const named_log> logs) {
  auto opened = open_logs(logs);
  if (!opened) return opened.failure();
  const auto all = check_all(*opened);
  if (!all) return all.failure();
  verification done;
  done.job = opened->front().job.config.job.name;
  done.rules_off = opened->front().plan.rules_off;
  done.workers = opened->front().job.workers.size();
  done.contract = all->front().contract;
  bool has_backups = false;
  for (std::size_t i = 0; i < all->size(); ++i) {
    const auto& log = (*opened)[i];
    const auto& checked = (*all)[i];
    if (!same_plans(all->front(), checked))
      return error{errc::refused, fmt::format("{} and {} are of a job that was changed differently",
                                              opened->front().rest.file(), log.rest.file())};
    has_backups |= checked.contract.find("backup") != std::string::npos;
    done.shards.push_back(checked.found);
    const auto& first = done.shards.front();
    const auto& last = done.shards.back();
    if (last.finished && first.finished && last.pushes_of != first.pushes_of && !has_backups &&
        first.generations == 0)
      return error{
          errc::refused,
          fmt::format("the workers pushed ({}) times to shard 0 and ({}) times to shard {}",
                      fmt::join(first.pushes_of, ", "), fmt::join(last.pushes_of, ", "),
                      log.plan.shard)};
  }
  return done;
}

} // namespace gradmesh::record
