#include "tools/sim/sim_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace gradmesh::tools::sim {
namespace {

using nlohmann::json;

double seeds_per_minute(const farm_report& r) {
  return r.seconds > 0 ? static_cast<double>(r.seeds) * 60 / r.seconds : 0;
}

std::string hash_text(const farm_report& r) {
  return fmt::format("{:016x}", r.hash);
}

} // namespace

std::string replay_command(const sim_request& request, std::uint64_t seed) {
  return fmt::format("gradmesh sim --first {} --seeds 1{} --trace", seed, request.chosen);
}

std::string to_table(const sim_request& request, const farm_report& report) {
  const auto line = [](const char* name, const std::string& value) {
    return fmt::format("{:<17}{}\n", name, value);
  };
  const auto last = request.farm.first + request.farm.seeds - 1;
  return line("seeds", fmt::format("{} of {}..{}", report.seeds, request.farm.first, last)) +
         line("violations", report.found ? "1" : "0") +
         line("jobs failed",
              fmt::format("{}, each by a fault that may end it", report.jobs_failed)) +
         line("frames", fmt::format("{}", report.frames)) +
         line("virtual time", fmt::format("{:.0f} s", report.virtual_seconds)) +
         line("time", fmt::format("{:.1f} s by {} processes", report.seconds, request.farm.jobs)) +
         line("seeds/minute", fmt::format("{:.0f}", seeds_per_minute(report))) +
         line("trace hash", hash_text(report));
}

std::string to_json(const sim_request& request, const farm_report& report) {
  json out{{"first_seed", request.farm.first},
           {"seeds", report.seeds},
           {"plant", request.plant.empty() ? json() : json(request.plant)},
           {"violation", json()},
           {"jobs_failed", report.jobs_failed},
           {"frames", report.frames},
           {"virtual_seconds", report.virtual_seconds},
           {"seconds", report.seconds},
           {"processes", request.farm.jobs},
           {"seeds_per_minute", seeds_per_minute(report)},
           {"trace_hash", hash_text(report)}};
  if (report.found)
    out["violation"] = {{"seed", report.found->seed},
                        {"what", report.found->what},
                        {"replay", replay_command(request, report.found->seed)}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string verdict(const sim_request& request, const farm_report& report) {
  if (!report.found)
    return request.plant.empty() ? std::string()
                                 : fmt::format("the planted bug '{}' was not found in {} seeds\n",
                                               request.plant, report.seeds);
  const auto seen = fmt::format("seed {}: {}\nreplay: {}\n", report.found->seed, report.found->what,
                                replay_command(request, report.found->seed));
  return request.plant.empty() ? "violation in " + seen
                               : fmt::format("the planted bug '{}' was found after {} seeds, by ",
                                             request.plant, report.seeds) +
                                     seen;
}

} // namespace gradmesh::tools::sim
