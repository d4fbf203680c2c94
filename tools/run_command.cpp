#include "tools/command.hpp"

#include "config/job_config.hpp"
#include "tools/follow.hpp"
#include "tools/local_mesh.hpp"
#include "tools/mesh_client.hpp"
#include "tools/options.hpp"
#include "tools/signals.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

constexpr std::chrono::seconds member_limit{30};

exit_code run(const config::job_config& job, bool in_process, const std::string& resume_from,
              const follow_options& follow) {
  catch_interrupts();
  auto mesh = in_process ? start_in_process(job) : start_processes(job);
  if (!mesh) return report_failure("run", mesh.failure());
  auto& local = **mesh;
  std::cerr << "mesh: " << job.mesh.servers << " server(s), " << job.mesh.workers << " worker(s), "
            << job.mesh.data_servers << " data server(s); " << local.description() << "\n";
  exit_code outcome = exit_failed;
  {
    auto client = mesh_client::connect(local.environment(), local.access());
    if (!client) return report_failure("run", client.failure());
    const auto id = (*client)->submit({.config = config::dump_job(job),
                                       .min_servers = job.mesh.servers,
                                       .min_workers = job.mesh.workers,
                                       .min_data_servers = job.mesh.data_servers,
                                       .wait = member_limit,
                                       .resume_from = resume_from});
    outcome = id ? follow_job(**client, *id, follow, &local) : report_failure("run", id.failure());
    (*client)->shut_down("the job of `gradmesh run` has ended");
  }
  // After a failure nobody waits for nodes that may not have heard of it.
  if (outcome == exit_ok) local.stop();
  return outcome;
}

} // namespace

exit_code run_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh run JOB.ini [options]",
      .description = "Starts a mesh on this machine (a coordinator, and the servers, workers and "
                     "data servers\n"
                     "that [mesh] of the job file asks for, each a process of its own), trains the "
                     "job on it,\n"
                     "and ends the mesh. `gradmesh config sample job` prints a commented job file.",
      .positional = {"JOB.ini"},
      .required = 1};
  options.named.add_options()("in-process", po::bool_switch(),
                              "the same actors in this one process, linked by memory");
  add_resume_option(options.named);
  add_set_option(options.named);
  add_follow_options(options.named);
  return with_options(options, arguments, [](const po::variables_map& values) {
    const auto follow = parse_follow_options("run", values);
    if (!follow) {
      (void)report_failure("run", follow.failure());
      return exit_usage;
    }
    const auto loaded = config::load_job(values["JOB.ini"].as<std::string>(), overrides_of(values));
    if (!loaded) {
      std::cerr << to_string(loaded.diagnostics);
      return exit_invalid_config;
    }
    return run(*loaded.value, values["in-process"].as<bool>(), values["resume"].as<std::string>(),
               *follow);
  });
}

} // namespace gradmesh::tools
