#include "tools/bench/link_command.hpp"

#include "tools/bench/link_bench.hpp"
#include "tools/bench/sizes.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"

#include <iostream>

namespace gradmesh::tools::bench {
namespace {

exit_code measure(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("bench", "-o '" + form + "' is neither table nor json");
  const auto lane = parse_lane(values["lane"].as<std::string>());
  if (!lane)
    return usage_error("bench", "--lane '" + values["lane"].as<std::string>() +
                                    "' is not one of tcp, tls, shm");
  const auto sizes = parse_sizes(values["sizes"].as<std::string>(), mesh::body_bytes_max);
  if (!sizes) return usage_error("bench", "--sizes " + sizes.failure().text);
  const auto seconds = values["seconds"].as<double>();
  if (!(seconds >= 0.01 && seconds <= 60))
    return usage_error("bench", "--seconds has to be a number in 0.01..60");
  const auto runs = values["runs"].as<unsigned>();
  if (runs < 1 || runs > 1000) return usage_error("bench", "--runs is not in 1..1000");

  const auto rows = run_link_bench(
      {.lane = *lane,
       .sizes = *sizes,
       .time = std::chrono::duration<double>(seconds),
       .runs = runs,
       .touch = values["touch"].as<bool>(),
       .progress = [](const std::string& what) { std::cerr << "measuring " << what << " ...\n"; }});
  if (!rows) return report_failure("bench", rows.failure());
  std::cout << (form == "json" ? to_json(*rows) : to_table(*rows));
  return exit_ok;
}

} // namespace

exit_code link_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh bench link [--lane tcp|tls|shm] [--sizes 64,4K,1M] [options]",
      .description =
          "Measures one link between two processes of this machine, with the frames that pushes "
          "and their\nacknowledgements travel in, but without actors. A row for each size and "
          "operation:\n"
          "  one-way     frames streamed against a window of 8 MiB (2 to 1024 frames), each\n"
          "              acknowledged; P50_US, P99_US: from sending one to its acknowledgement\n"
          "  round-trip  one frame at a time\n"
          "All figures are medians of the runs, SPREAD is (greatest - least) / median. In each run "
          "the same\nbytes also go through blocking sockets (RAW_TCP), and through blocking "
          "OpenSSL (lane tls) or memcpy\n(lane shm); RATIO is the link's goodput or time by "
          "theirs. CORES counts both processes,\nwhich run on a processor each.",
      .positional = {}};
  options.named.add_options()("lane", po::value<std::string>()->default_value("tcp"),
                              "tcp, tls, or shm (shared memory)")(
      "sizes", po::value<std::string>()->default_value("64,4K,64K,1M,4M,16M")->value_name("LIST"),
      "bytes of a frame's body; K, M, G are units of 1024")(
      "seconds", po::value<double>()->default_value(0.3), "length of each measurement")(
      "runs", po::value<unsigned>()->default_value(7), "how often each is repeated, in turn")(
      "touch", po::bool_switch(), "the receivers read every cache line of what they get")(
      "output,o", po::value<std::string>()->default_value("table"), "table or json");
  return with_options(std::move(options), arguments, measure);
}

} // namespace gradmesh::tools::bench
