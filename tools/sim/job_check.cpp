#include "tools/sim/job_check.hpp"

#include "actors/record/verify.hpp"
#include "actors/store/model_file.hpp"
#include "tools/lab/counting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace gradmesh::tools::sim {
namespace {

constexpr std::uint64_t file_bytes_max = 1u << 26;
constexpr double count_error_max = 0.01;

std::string fault_of_counts(const seed_plan& plan, const std::string& file, env::disk& disk) {
  const auto bytes = disk.read(file, file_bytes_max);
  if (!bytes) return "the model of a job that is done: " + bytes.failure().text;
  const auto model = store::read_model(std::as_bytes(std::span(*bytes)));
  if (!model) return "the model of a job that is done: " + model.failure().text;
  // With backup workers a step goes by the mean of those that came in time.
  const double share =
      plan.loses_some ? static_cast<double>(plan.workers) / static_cast<double>(plan.workers - 1)
                      : 1;
  const auto counts = lab::applied_counts(*model, {counted_rate, counted_batch, share});
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto whole = std::round(counts[i]);
    bool right = plan.loses_some ? whole <= plan.epochs : whole == plan.epochs;
    right = right && std::abs(counts[i] - whole) <= count_error_max;
    // When workers are lost, the share of those that are left grows, at most to twice its size.
    if (plan.loses_some && !may_be_missed(plan).empty())
      right = counts[i] <= plan.epochs * 2 / share + count_error_max;
    if (!right)
      return fmt::format("example {} was applied {:.3f} times, in {} epochs", i, counts[i],
                         plan.epochs);
  }
  return {};
}

/// The server with the same number had the shard first, and still has it if it was never missed.
/// Up to there its log keeps the contract in any case.
std::string fault_of_log(const seed_plan& plan, const disk_list& disks, std::size_t shard,
                         const std::string& record) {
  const auto server = fmt::format("server-{}", shard);
  const auto host =
      static_cast<simulation::host_id>(std::ranges::find(plan.names, server) - plan.names.begin());
  const auto missed = may_be_missed(plan);
  // A coordinator that is gone does not end the job there.
  const bool may_be_cut =
      missed.contains(0) || missed.contains(host) || may_fail_to_write(plan, host);
  const auto name = fmt::format("{}.{}", record, shard);
  const auto bytes = disks[host]->read(name, file_bytes_max);
  if (!bytes) return may_be_cut ? std::string() : "a clock log: " + bytes.failure().text;
  const record::named_log log{name, *bytes};
  const auto verified = record::verify_shard(log);
  if (verified || (may_be_cut && verified.failure().code == errc::malformed_data)) return {};
  return "clock logs: " + verified.failure().text;
}

} // namespace

std::string fault_of_job(const seed_plan& plan, const simulation::job_outcome& outcome,
                         const disk_list& disks, const std::string& record, sim_store* store) {
  if (plan.data == data_kind::counted) {
    if (auto wrong = fault_of_counts(plan, outcome.model_file, *disks.front()); !wrong.empty())
      return wrong;
  } else if (store) {
    const auto bits = store->bits_of(plan);
    if (!bits) return "the undisturbed run: " + bits.failure().text;
    if (*bits != outcome.parameters_sha256)
      return fmt::format("the parameters have SHA-256 {}, those of an undisturbed run {}",
                         outcome.parameters_sha256, *bits);
  }
  for (std::size_t shard = 0; shard < plan.servers && !record.empty(); ++shard)
    if (auto wrong = fault_of_log(plan, disks, shard, record); !wrong.empty()) return wrong;
  return {};
}

} // namespace gradmesh::tools::sim
