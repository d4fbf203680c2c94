/// `gradmesh sim`: meshes in which everything fails, in virtual time.

#include "tools/command.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"
#include "tools/signals.hpp"
#include "tools/sim/sim_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>
#include <thread>

namespace gradmesh::tools {
namespace {

using namespace sim;

constexpr std::chrono::seconds progress_interval{5};
constexpr std::size_t nodes_max = 16; // of a role

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

result<mesh_sizes> parse_nodes(const std::string& text) {
  mesh_sizes sizes;
  if (text.empty()) return sizes;
  for (const auto& part : split(text)) {
    const auto equals = part.find('=');
    const auto role = part.substr(0, equals);
    auto* size = role == "servers"        ? &sizes.servers
                 : role == "workers"      ? &sizes.workers
                 : role == "data-servers" ? &sizes.data_servers
                                          : nullptr;
    std::size_t number = 0;
    const auto* digits = part.c_str() + (equals == part.npos ? part.size() : equals + 1);
    const auto* end = part.c_str() + part.size();
    const auto read = std::from_chars(digits, end, number);
    if (!size || read.ec != std::errc() || read.ptr != end || number == 0 || number > nodes_max)
      return error{
          errc::invalid_argument,
          fmt::format("--nodes '{}' is none of servers=N, workers=N, data-servers=N with N "
                      "in 1..{}",
                      part, nodes_max)};
    *size = number;
  }
  return sizes;
}

result<std::vector<fault_kind>> parse_faults(const std::string& text) {
  std::vector<fault_kind> kinds;
  if (text == "none") return kinds;
  std::string names;
  for (const auto& f : all_faults()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", f.name);
    if (text == "all") kinds.push_back(f.kind);
  }
  if (text == "all") return kinds;
  for (const auto& part : split(text)) {
    const auto kind = fault_named(part);
    if (!kind)
      return error{errc::invalid_argument,
                   fmt::format("--faults: there is no '{}'; there are all, none, {}", part, names)};
    kinds.push_back(*kind);
  }
  return kinds;
}

/// Options that have their default are not repeated.
std::string chosen(const po::variables_map& values) {
  std::string text;
  for (const auto* name : {"nodes", "faults", "plant"})
    if (values.contains(name) && !values[name].defaulted())
      text += fmt::format(" --{} {}", name, values[name].as<std::string>());
  return text;
}

result<sim_request> request_of(const po::variables_map& values) {
  sim_request request;
  request.farm.first = values["first"].as<std::uint64_t>();
  request.farm.seeds = values["seeds"].as<std::uint64_t>();
  request.farm.jobs = values["jobs"].as<std::size_t>();
  if (request.farm.seeds == 0 || request.farm.jobs == 0)
    return error{errc::invalid_argument, "--seeds and --jobs are at least 1"};
  const auto sizes = parse_nodes(values["nodes"].as<std::string>());
  if (!sizes) return sizes.failure();
  request.farm.seed.sizes = *sizes;
  auto faults = parse_faults(values["faults"].as<std::string>());
  if (!faults) return faults.failure();
  request.farm.seed.faults = std::move(*faults);
  request.chosen = chosen(values);
  if (!values.contains("plant")) return request;
  request.plant = values["plant"].as<std::string>();
  const auto rule = rule_named(request.plant);
  if (!rule)
    return error{errc::invalid_argument, "--plant: there is no '" + request.plant +
                                             "'; --list-plants prints what there is"};
  request.farm.rules.break_rule(*rule);
  return request;
}

void trace(const sim_request& request) {
  sim_store store;
  for (auto seed = request.farm.first; seed < request.farm.first + request.farm.seeds; ++seed) {
    const auto plan = plan_of(seed, request.farm.seed);
    std::cout << fmt::format("seed {}: {}\n{}", seed, describe(plan), plan.job);
    const auto report =
        run_seed(plan,
                 {.rules = request.farm.rules,
                  .trace = [](const std::string& line) { std::cout << line << "\n"; }},
                 store);
    std::cout << fmt::format("trace hash {:016x}\n", report.hash);
    if (!report.violation.empty()) std::cout << "violation: " << report.violation << "\n";
  }
}

exit_code exit_of(const sim_request& request, const farm_report& report) {
  if (interrupted()) return exit_interrupted;
  return report.found.has_value() == request.plant.empty() ? exit_failed : exit_ok;
}

exit_code simulate(const po::variables_map& values) {
  if (values["list-plants"].as<bool>()) {
    for (const auto& rule : all_rules())
      std::cout << rule.name << "\n";
    return exit_ok;
  }
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("sim", "-o '" + form + "' is neither table nor json");
  const auto request = request_of(values);
  if (!request) return usage_error("sim", request.failure().text);
  if (values["trace"].as<bool>()) trace(*request);
  catch_interrupts();
  auto told = std::chrono::steady_clock::now();
  const auto report = run_farm(request->farm, [&](const farm_report& so_far) {
    const auto now = std::chrono::steady_clock::now();
    if (now - told >= progress_interval) {
      told = now;
      std::cerr << fmt::format("{} of {} seeds, {:.0f} a minute\n", so_far.seeds,
                               request->farm.seeds,
                               static_cast<double>(so_far.seeds) * 60 / so_far.seconds);
    }
    return !interrupted();
  });
  if (!report) return report_failure("sim", report.failure());
  std::cout << (form == "json" ? to_json(*request, *report) : to_table(*request, *report));
  std::cerr << verdict(*request, *report);
  return exit_of(*request, *report);
}

} // namespace

exit_code sim_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh sim [--seeds N] [--first S] [--nodes LIST] [--faults LIST] [--plant BUG]",
      .description =
          "Runs small jobs on meshes in virtual time, with the real actors, while nodes crash and "
          "hang, machines\n"
          "lose their power, and links break, stall and are slow; a seed chooses mesh, job, faults "
          "and the order\n"
          "in which everything happens. Checks what must hold whatever went wrong: each example is "
          "applied as\n"
          "often as it has to be, the bits are those of an undisturbed run, reads are no staler "
          "than promised,\n"
          "every job comes to an end. Exit status 1 at the first violation, with the command that "
          "replays it.\n"
          "With --plant, nodes break a rule, and the simulation has to notice (then exit status "
          "0).",
      .positional = {}};
  const auto cores = std::max(1U, std::thread::hardware_concurrency());
  options.named.add_options()("seeds", po::value<std::uint64_t>()->default_value(1000),
                              "how many seeds")(
      "first", po::value<std::uint64_t>()->default_value(1), "the first seed")(
      "nodes", po::value<std::string>()->default_value(""),
      "sizes of the mesh: servers=2,workers=2,data-servers=1; what is not named is chosen by the "
      "seed")("faults", po::value<std::string>()->default_value("all"),
              "what may happen: crash, power, hang, partition, one-way, link, delay, repeat, "
              "disk-full, sync, flip; all; "
              "none")("jobs", po::value<std::size_t>()->default_value(cores),
                      "processes that share the seeds")(
      "plant", po::value<std::string>()->value_name("BUG"), "a rule that the nodes break")(
      "list-plants", po::bool_switch(), "print the names of all such rules, one a line")(
      "trace", po::bool_switch(), "print everything that happens, before the result")(
      "output,o", po::value<std::string>()->default_value("table"), "table or json");
  return with_options(std::move(options), arguments, simulate);
}

} // namespace gradmesh::tools
