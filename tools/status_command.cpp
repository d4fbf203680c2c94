#include "actors/mesh/receive.hpp"
#include "config/endpoint.hpp"
#include "tools/command.hpp"
#include "tools/mesh_client.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"
#include "tools/status_format.hpp"
#include "tools/table.hpp"
#include "tools/terminal.hpp"

#include <iostream>
#include <optional>
#include <thread>

namespace gradmesh::tools {
namespace {

using steady = std::chrono::steady_clock;

struct status_options {
  mesh_access access;
  std::string format;
  std::string section;
  std::optional<double> watch_seconds;
};

double seconds_since(steady::time_point then) {
  return std::chrono::duration<double>(steady::now() - then).count();
}

result<status_report> ask(mesh_client& client, const status_options& options) {
  const auto asked = steady::now();
  const auto answer = client.status();
  if (!answer) return answer.failure();
  status_report report;
  const auto decoded = mesh::guarded([&]() -> result<void> {
    report = make_status_report(**answer, {config::to_string(options.access.coordinator),
                                           options.access.cluster, seconds_since(asked)});
    return {};
  });
  if (!decoded) return decoded.failure();
  return report;
}

std::string format_report(const status_report& report, const status_options& options) {
  const bool wide = options.format == "wide";
  if (options.format == "json") return status_json(report, options.section) + '\n';
  if (options.format == "jsonl") return join_lines(status_jsonl(report, options.section));
  if (options.format == "csv")
    return join_lines(status_csv(report, options.section.empty() ? "nodes" : options.section));
  return join_lines(status_lines(report, options.section, wide));
}

/// Until the user ends it or the coordinator no longer answers.
error watch(mesh_client& client, const status_options& options, status_report report) {
  const auto began = steady::now();
  const bool redraw = options.format != "jsonl" && terminal_of(stdout).interactive;
  redrawn_block block(stdout);
  if (!redraw) std::cout << format_report(report, options) << std::flush;
  for (;;) {
    if (redraw)
      block.draw(status_lines(report, options.section, options.format == "wide"),
                 terminal_of(stdout));
    std::this_thread::sleep_for(std::chrono::duration<double>(*options.watch_seconds));
    auto next = ask(client, options);
    if (!next) return next.failure();
    if (!redraw)
      std::cout << join_lines(changed_rows(report, *next, options.section, options.format,
                                           seconds_since(began)))
                << std::flush;
    report = std::move(*next);
  }
}

exit_code show_status(const status_options& options) {
  const auto environment = env::real_environment(env::no_log(), {});
  auto client = mesh_client::connect(environment, options.access);
  if (!client) return report_failure("status", client.failure());
  auto report = ask(**client, options);
  if (!report) return report_failure("status", report.failure());
  if (options.watch_seconds)
    return report_failure("status", watch(**client, options, std::move(*report)));
  std::cout << format_report(*report, options);
  return exit_ok;
}

exit_code check_and_show(const po::variables_map& values) {
  const auto access = access_of(values);
  if (!access) return usage_error("status", access.failure().text);
  status_options options{.access = *access,
                         .format = values["output"].as<std::string>(),
                         .section = {},
                         .watch_seconds = {}};
  if (!is_one_of(options.format, {"table", "wide", "json", "jsonl", "csv"}))
    return usage_error("status",
                       "-o '" + options.format + "' is not one of table, wide, json, jsonl, csv");
  if (values.count("section") > 0) options.section = values["section"].as<std::string>();
  if (!options.section.empty() && !is_section(options.section))
    return usage_error("status", "'" + options.section +
                                     "' is not one of nodes, shards, workers, data-servers, "
                                     "coordinator, job, layout");
  if (values.count("watch") > 0) {
    options.watch_seconds = values["watch"].as<double>();
    if (!(*options.watch_seconds >= 0.1 && *options.watch_seconds <= 3600))
      return usage_error("status", "--watch has to be a number of seconds in 0.1..3600");
    if (!is_one_of(options.format, {"table", "wide", "jsonl"}))
      return usage_error("status", "--watch goes with -o table, wide or jsonl");
  }
  return show_status(options);
}

} // namespace

exit_code status_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh status [nodes|shards|workers|data-servers|coordinator|job|layout]\n"
               "       [--coordinator HOST:PORT] [options]",
      .description = "Shows the nodes of a running mesh, their shards, workers and data servers, "
                     "and the latest job,\nas the coordinator sees them.",
      .positional = {"section"}};
  add_access_options(options.named);
  options.named.add_options()(
      "output,o", po::value<std::string>()->default_value("table"),
      "table, wide, json, jsonl or csv (one table: the nodes if none is named)")(
      "watch,w", po::value<double>()->implicit_value(2),
      "ask again every so many seconds: redraws a terminal, prints changed rows to a pipe");
  return with_options(std::move(options), arguments, check_and_show);
}

} // namespace gradmesh::tools
