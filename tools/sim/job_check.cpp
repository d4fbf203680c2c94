#include "tools/sim/job_check.hpp"

#include "actors/record/verify.hpp"
#include "actors/store/model_file.hpp"
#include "tools/lab/counting.hpp"

#include <fmt/format.h>

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
    const bool right = plan.loses_some ? whole <= plan.epochs : whole == plan.epochs;
    if (!right || std::abs(counts[i] - whole) > count_error_max)
      return fmt::format("example {} was applied {:.3f} times, in {} epochs", i, counts[i],
                         plan.epochs);
  }
  return {};
}

std::string fault_of_logs(const disk_list& disks, std::size_t shards, const std::string& record) {
  std::vector<std::string> texts;
  std::vector<record::named_log> logs;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const auto name = fmt::format("{}.{}", record, shard);
    for (const auto& disk : disks)
      if (auto text = disk->read(name, file_bytes_max)) {
        texts.push_back(std::move(*text));
        break;
      }
    if (texts.size() != shard + 1) return fmt::format("no shard has written {}", name);
  }
  for (std::size_t shard = 0; shard < shards; ++shard)
    logs.push_back({fmt::format("{}.{}", record, shard), texts[shard]});
  const auto verified = record::verify(logs);
  return verified ? std::string() : "clock logs: " + verified.failure().text;
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
  // A server that was lost as the job ended did not come to the end of its log.
  for (std::size_t i = 0; i < plan.servers; ++i)
    if (excuses(plan, fmt::format("server-{}", i))) return {};
  return fault_of_logs(disks, plan.servers, record);
}

} // namespace gradmesh::tools::sim
