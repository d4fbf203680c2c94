#include "tools/bench/push_pull_command.hpp"

#include "tools/bench/push_pull_bench.hpp"
#include "tools/bench/sizes.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"

#include <algorithm>
#include <iostream>

namespace gradmesh::tools::bench {
namespace {

constexpr std::uint64_t size_max = 1u << 30;
constexpr std::uint64_t keys_max = 10'000'000;

exit_code measure(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("bench", "-o '" + form + "' is neither table nor json");
  push_pull_options options;
  const auto lane = values["lane"].as<std::string>();
  bool known = false;
  for (const auto& name : config::names_of(config::lane_kind{}))
    if (name.name == lane) {
      options.lane = name.value;
      known = true;
    }
  if (!known) return usage_error("bench", "--lane '" + lane + "' is not one of shm, tcp, tls");
  const auto sizes = parse_sizes(values["sizes"].as<std::string>(), size_max);
  if (!sizes) return usage_error("bench", "--sizes " + sizes.failure().text);
  if (std::ranges::any_of(*sizes, [](auto size) { return size % sizeof(float) != 0; }))
    return usage_error("bench", "--sizes have to be multiples of 4: parameters are floats");
  const auto in = [&](const char* name, unsigned max, unsigned& out) {
    out = values[name].as<unsigned>();
    return out >= 1 && out <= max;
  };
  if (!in("servers", 64, options.servers) || !in("workers", 64, options.workers))
    return usage_error("bench", "--servers and --workers have to be in 1..64");
  if (!in("runs", 1000, options.runs)) return usage_error("bench", "--runs is not in 1..1000");
  options.replicated = values.contains("replicated");
  if (options.replicated && options.servers < 2)
    return usage_error("bench", "--replicated needs --servers 2 or more, for the backups");
  options.sparse_keys = values["sparse-keys"].as<std::uint64_t>();
  if (options.sparse_keys > keys_max)
    return usage_error("bench", "--sparse-keys is not in 0.." + std::to_string(keys_max));
  const auto seconds = values["seconds"].as<double>();
  if (!(seconds >= 0.01 && seconds <= 3600))
    return usage_error("bench", "--seconds has to be a number in 0.01..3600");
  options.sizes = *sizes;
  options.time = std::chrono::duration<double>(seconds);
  options.progress = [](const std::string& what) { std::cerr << "measuring " << what << " ...\n"; };

  const auto rows = run_push_pull_bench(options);
  if (!rows) return report_failure("bench", rows.failure());
  std::cout << (form == "json" ? to_json(*rows) : to_table(*rows));
  return exit_ok;
}

} // namespace

exit_code push_pull_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage =
          "gradmesh bench push-pull [--servers S] [--workers W] [--lane shm|tcp|tls] [options]",
      .description =
          "Measures pushes and pulls between workers and server shards, each in a process of its "
          "own on this\nmachine, with the actors and messages of training; the shards update their "
          "parameters by SGD. A row\nfor each size (bytes of the dense parameters) and operation:\n"
          "  push, pull          against a window of 2 MiB (3 to 4096 requests)\n"
          "  push-one, pull-one  one request at a time\n"
          "with --replicated\n"
          "  push-replicated     as push, when each shard has a backup that has to have it, too\n"
          "and with --sparse-keys N for rows of one float under N random keys of a million:\n"
          "  ...-repeated        the same keys each time\n"
          "  ...-fresh           other keys each time\n"
          "All figures are medians of the runs, SPREAD is (greatest - least) / median. In each run "
          "the same\nbytes also go through blocking sockets (RAW_TCP), and through blocking "
          "OpenSSL "
          "(lane tls) or memcpy\n(lane shm); RATIO is ours by theirs. CONTROL_P99_US is the round "
          "trip on the control\nlane meanwhile. CORES counts all processes, and\nWIRE the bytes "
          "that the links of all of "
          "them sent for each byte that was pushed or pulled.\n"
          "Each process stays on one processor, and both ends of a baseline on two.",
      .positional = {}};
  options.named.add_options()("servers", po::value<unsigned>()->default_value(1),
                              "server processes, with a shard each")(
      "workers", po::value<unsigned>()->default_value(1), "worker processes")(
      "lane", po::value<std::string>()->default_value("shm"), "shm (shared memory), tcp, or tls")(
      "sizes", po::value<std::string>()->default_value("64,4K,64K,1M,4M,16M")->value_name("LIST"),
      "bytes of the dense parameters; K, M, G are units of 1024")(
      "sparse-keys", po::value<std::uint64_t>()->default_value(0), "keys of a sparse request")(
      "seconds", po::value<double>()->default_value(0.3), "length of each measurement")(
      "replicated", "measure pushes to shards with backups, next to those without")(
      "runs", po::value<unsigned>()->default_value(7), "how often each is repeated, in turn")(
      "output,o", po::value<std::string>()->default_value("table"), "table or json");
  return with_options(std::move(options), arguments, measure);
}

} // namespace gradmesh::tools::bench
