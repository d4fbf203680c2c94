#include "tools/command.hpp"

#include "tools/chaos/chaos_run.hpp"
#include "tools/job_json.hpp"
#include "tools/options.hpp"
#include "tools/signals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace gradmesh::tools {
namespace {

using chaos::chaos_options;

constexpr std::uint64_t faults_max = 1'000'000;
constexpr double seconds_max = 86'400;
constexpr double heartbeat_ms_min = 10;
constexpr double heartbeat_ms_max = 6'000;

/// A time that an option gives in seconds.
result<std::chrono::milliseconds> seconds_of(const po::variables_map& values,
                                             const std::string& name, double least) {
  const auto value = values[name].as<double>();
  if (!(value >= least && value <= seconds_max))
    return error{errc::invalid_argument, "--" + name + " has to be a number of seconds in " +
                                             fmt::format("{}", least) + "..86400"};
  return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
}

result<chaos_options> options_of(const po::variables_map& values) {
  chaos_options options;
  options.faults = values["faults"].as<std::uint64_t>();
  if (options.faults > faults_max)
    return error{errc::invalid_argument, "--faults has to be in 0..1000000"};
  auto kinds = chaos::parse_fault_kinds(values["kinds"].as<std::string>());
  if (!kinds) return error{errc::invalid_argument, "--kinds: " + kinds.failure().text};
  options.kinds = std::move(*kinds);
  auto roles = chaos::parse_victim_roles(values["roles"].as<std::string>());
  if (!roles) return error{errc::invalid_argument, "--roles: " + roles.failure().text};
  options.roles = std::move(*roles);
  for (const auto kind : options.kinds)
    if (std::ranges::none_of(options.roles, [&](auto role) { return chaos::hits(kind, role); }))
      return error{errc::invalid_argument, "--roles: none of them can be hit by " +
                                               std::string(to_string(kind)) + " (--kinds)"};
  const auto& load = values["load"].as<std::string>();
  if (load != "training" && load != "pushes")
    return error{errc::invalid_argument, "--load: '" + load + "' is neither training nor pushes"};
  if (load == "pushes") options.load = chaos::load_kind::pushes;
  options.seed = values["seed"].as<std::uint64_t>();
  const auto interval = seconds_of(values, "interval", 0);
  const auto longest = seconds_of(values, "longest", 0.05);
  const auto recovery = seconds_of(values, "recovery-limit", 1);
  const auto job = seconds_of(values, "job-limit", 1);
  for (const auto* time : {&interval, &longest, &recovery, &job})
    if (!*time) return time->failure();
  options.interval = *interval;
  options.longest = *longest;
  options.recovery_limit = std::chrono::ceil<std::chrono::seconds>(*recovery);
  options.job_limit = std::chrono::ceil<std::chrono::seconds>(*job);
  const auto heartbeat = values["heartbeat-ms"].as<double>();
  if (!(heartbeat >= heartbeat_ms_min && heartbeat <= heartbeat_ms_max))
    return error{errc::invalid_argument, "--heartbeat-ms has to be in 10..6000"};
  options.heartbeat = std::chrono::milliseconds(static_cast<std::int64_t>(heartbeat));
  return options;
}

/// So that a shard has its primary and its backup on others than the one that is hit.
constexpr std::uint32_t apart_servers = 3;

/// What the user sets comes after it, and so wins.
void ask_for_pushes(config::overrides& overrides) {
  const std::vector<std::string> wanted{"job.strategy=async", "job.deterministic=false",
                                        "mesh.lane=tcp"};
  overrides.command_line.insert(overrides.command_line.begin(), wanted.begin(), wanted.end());
}

exit_code run_chaos(const config::job_config& job, const chaos_options& options, bool json) {
  catch_interrupts();
  chaos::chaos_run run(job, options,
                       {.news = [](const std::string& line) { std::cerr << line << std::endl; },
                        .fault =
                            [json](const chaos::fault_outcome& f) {
                              (json ? std::cerr : std::cout) << chaos::fault_line(f) << std::endl;
                            }});
  const auto result = run.go();
  if (!result) return report_failure("chaos", result.failure());
  if (json)
    std::cout << to_line(chaos::report_json(*result)) << "\n";
  else
    std::cout << chaos::report_text(*result);
  if (result->interrupted) return exit_interrupted;
  return result->passed() ? exit_ok : exit_failed;
}

exit_code check_and_run(const po::variables_map& values) {
  const auto usage_error = [](const std::string& text) {
    (void)report_failure("chaos", {errc::invalid_argument, text});
    return exit_usage;
  };
  const auto options = options_of(values);
  if (!options) return usage_error(options.failure().text);
  const bool pushes = options->load == chaos::load_kind::pushes;
  const auto& form = values["output"].as<std::string>();
  if (form != "table" && form != "json")
    return usage_error("--output: '" + form + "' is neither table nor json");
  auto overrides = overrides_of(values);
  if (pushes) ask_for_pushes(overrides);
  const auto loaded = config::load_job(values["JOB.ini"].as<std::string>(), overrides);
  if (!loaded) {
    std::cerr << to_string(loaded.diagnostics);
    return exit_invalid_config;
  }
  if (loaded.value->mesh.listen.host.find(':') != std::string::npos)
    return usage_error("mesh.listen = " + to_string(loaded.value->mesh.listen) +
                       ": the proxy that cuts nodes off speaks IPv4 only; set it to 127.0.0.1:0");
  if (pushes && loaded.value->job.strategy != config::strategy::async)
    return usage_error("--load pushes: shards that do not wait for workers are those of "
                       "job.strategy = async; leave it to this option");
  if (pushes && loaded.value->mesh.servers < apart_servers)
    return usage_error(fmt::format("--load pushes: with mesh.servers = {} each shard has a copy on "
                                   "any server that is hit, or waits for one; set it to {} or more",
                                   loaded.value->mesh.servers, apart_servers));
  return run_chaos(*loaded.value, *options, form == "json");
}

} // namespace

exit_code chaos_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh chaos JOB.ini --faults N [options]",
      .description =
          "Trains a job on a mesh of processes on this machine while it harms them, one fault\n"
          "after the other: kill (-9), stop (SIGSTOP, SIGCONT), partition (all links of a node\n"
          "held or broken; nodes then reach each other by TCP through a proxy), disk-full (no\n"
          "file of a coordinator or server can grow). Each waits for the recovery from the one\n"
          "before; jobs follow each other until all faults are done. Then it is checked that\n"
          "every job was done, that a deterministic bsp job has the parameters of an undisturbed\n"
          "one, and, for the counting job (config/chaos.ini, whose data it makes), that each\n"
          "update was applied once. Exit status 0 only if all of that is so. Recovery times\n"
          "come from heartbeats and are too long by up to two of them. Over TCP (mesh.lane, and\n"
          "always with partitions) all goes through the proxy, which sees the pushes: when the\n"
          "first that was sent after a fault is acknowledged by the shards whose primary was\n"
          "hit, and for how long (and at which rate) other shards acknowledged none (something)\n"
          "until then; and what shards refuse while the coordinator is away.",
      .positional = {"JOB.ini"},
      .required = 1};
  options.named.add_options()(
      "faults", po::value<std::uint64_t>()->default_value(10)->value_name("N"), "how many")(
      "kinds",
      po::value<std::string>()->default_value("kill,stop,partition,disk-full")->value_name("LIST"),
      "of kill, stop, partition, disk-full")(
      "roles",
      po::value<std::string>()
          ->default_value("coordinator,server,data-server,worker")
          ->value_name("LIST"),
      "of the nodes that are hit, each as often as any other")(
      "load", po::value<std::string>()->default_value("training")->value_name("training|pushes"),
      "pushes: workers pull nothing, and no push waits for another shard, so that it can be seen "
      "that "
      "shards with no copy on the node that was hit go on: each of them has to acknowledge "
      "something in every 100 ms until the shards that were hit do")(
      "seed", po::value<std::uint64_t>()->default_value(1)->value_name("S"),
      "the same faults on the same nodes for the same seed")(
      "interval", po::value<double>()->default_value(1)->value_name("SECONDS"),
      "from a recovery to the next fault, half as long to one and a half times")(
      "longest", po::value<double>()->default_value(2)->value_name("SECONDS"),
      "for faults that end by themselves; they last 0.05 s at least")(
      "heartbeat-ms", po::value<double>()->default_value(100)->value_name("MS"),
      "of all nodes; eight without one are a death")(
      "recovery-limit", po::value<double>()->default_value(30)->value_name("SECONDS"),
      "a mesh that does not go on by then, after the fault's end, does not survive it")(
      "job-limit", po::value<double>()->default_value(600)->value_name("SECONDS"), "for each job")(
      "output,o", po::value<std::string>()->default_value("table")->value_name("table|json"),
      "form of the report on standard output");
  add_set_option(options.named);
  return with_options(std::move(options), arguments, check_and_run);
}

} // namespace gradmesh::tools
