#include "tools/verify_report.hpp"

#include "tools/figures.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace gradmesh::tools {
namespace {

record::shard_findings total_of(const record::verification& found) {
  record::shard_findings total;
  total.finished = std::ranges::any_of(found.shards, &record::shard_findings::finished);
  for (const auto& shard : found.shards) {
    total.reads += shard.reads;
    total.others += shard.others;
    total.parts += shard.parts;
    total.pushes += shard.pushes;
    total.steps += shard.steps;
    total.repeated_parts += shard.repeated_parts;
    total.late_parts += shard.late_parts;
    total.staleness_max = std::max(total.staleness_max, shard.staleness_max);
    total.behind_max = std::max(total.behind_max, shard.behind_max);
  }
  return total;
}

} // namespace

std::string verify_text(const record::verification& found, std::uint64_t log_bytes) {
  const auto total = total_of(found);
  auto text =
      fmt::format("{}: {}, {} shard(s), {} worker(s), {} of logs\n", found.job, found.contract,
                  found.shards.size(), found.workers, short_bytes(static_cast<double>(log_bytes)));
  const auto line = [&](const char* what, const std::string& checked) {
    text += fmt::format("  {:<10} {}\n", what, checked);
  };
  line("reads", fmt::format("{} for training, each saw what it must ({} for evaluation)",
                            grouped(total.reads), grouped(total.others)));
  if (total.behind_max > 0)
    line("behind", fmt::format("{} step(s) at most of the slowest worker were not seen by a read",
                               grouped(total.behind_max)));
  line("pushes", fmt::format("{} in {} parts, each taken once and whole ({} repeated, {} late "
                             "parts dropped)",
                             grouped(total.pushes), grouped(total.parts),
                             grouped(total.repeated_parts), grouped(total.late_parts)));
  if (total.steps > 0)
    line("steps",
         fmt::format("{} summed, each with every push that it needs", grouped(total.steps)));
  if (total.staleness_max > 0)
    line("staleness", fmt::format("as the workers were told, {} update(s) at most",
                                  grouped(total.staleness_max)));
  line("job", total.finished ? "came to its end; every batch was trained once"
                             : "did not come to its end; all that it did was checked");
  for (const auto& rule : found.rules_off)
    line("broken", fmt::format("rule {} was off in the shards (an experiment)", rule));
  return text + "the contract holds\n";
}

std::string verify_json(const record::verification& found, std::uint64_t log_bytes) {
  const auto total = total_of(found);
  const nlohmann::ordered_json report{{"job", found.job},
                                      {"contract", found.contract},
                                      {"holds", true},
                                      {"finished", total.finished},
                                      {"shards", found.shards.size()},
                                      {"workers", found.workers},
                                      {"log_bytes", log_bytes},
                                      {"reads", total.reads},
                                      {"evaluation_reads", total.others},
                                      {"behind_max", total.behind_max},
                                      {"pushes", total.pushes},
                                      {"parts", total.parts},
                                      {"repeated_parts", total.repeated_parts},
                                      {"late_parts", total.late_parts},
                                      {"steps", total.steps},
                                      {"staleness_max", total.staleness_max},
                                      {"rules_off", found.rules_off}};
  return report.dump() + "\n";
}

} // namespace gradmesh::tools
