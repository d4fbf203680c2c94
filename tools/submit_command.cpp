#include "tools/command.hpp"

#include "config/job_config.hpp"
#include "tools/follow.hpp"
#include "tools/mesh_client.hpp"
#include "tools/options.hpp"
#include "tools/signals.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

exit_code submit(const config::job_config& job, const po::variables_map& values,
                 const mesh_access& access, const follow_options& follow) {
  catch_interrupts();
  auto client = mesh_client::connect(env::real_environment(env::no_log(), {}), access);
  if (!client) return report_failure("submit", client.failure());
  const auto id = (*client)->submit({.config = config::dump_job(job),
                                     .min_servers = values["servers"].as<std::uint32_t>(),
                                     .min_workers = values["workers"].as<std::uint32_t>(),
                                     .min_data_servers = values["data-servers"].as<std::uint32_t>(),
                                     .wait = std::chrono::seconds(values["wait"].as<unsigned>()),
                                     .resume_from = values["resume"].as<std::string>()});
  if (!id) return report_failure("submit", id.failure());
  return follow_job(**client, *id, follow, nullptr);
}

} // namespace

exit_code submit_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh submit JOB.ini --coordinator HOST:PORT [options]",
      .description =
          "Submits a job to a running mesh and follows it to its end. All servers, workers and\n"
          "data servers of the mesh take part. Paths in the job file are those of the nodes: data\n"
          "is read where the data servers are, the model is saved where the coordinator is.\n"
          "Ctrl-C cancels the job.",
      .positional = {"JOB.ini"},
      .required = 1};
  add_access_options(options.named);
  add_members_options(options.named);
  add_resume_option(options.named);
  add_set_option(options.named);
  add_follow_options(options.named);
  return with_options(options, arguments, [](const po::variables_map& values) {
    const auto follow = parse_follow_options("submit", values);
    const auto access = access_of(values);
    if (!follow || !access) {
      (void)report_failure("submit", !follow ? follow.failure() : access.failure());
      return exit_usage;
    }
    const auto loaded = config::load_job(values["JOB.ini"].as<std::string>(), overrides_of(values));
    if (!loaded) {
      std::cerr << to_string(loaded.diagnostics);
      return exit_invalid_config;
    }
    return submit(*loaded.value, values, *access, *follow);
  });
}

} // namespace gradmesh::tools
