#include "tools/command.hpp"

#include "tools/mesh_client.hpp"
#include "tools/options.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

exit_code change(const std::vector<std::string>& options, const mesh_access& access) {
  auto client = mesh_client::connect(env::real_environment(env::no_log(), {}), access);
  if (!client) return report_failure("change", client.failure());
  const auto changed = (*client)->change(options);
  if (!changed) return report_failure("change", changed.failure());
  std::cout << "job " << changed->job_id << " takes the new options from epoch "
            << changed->epoch + 1 << " on (step " << changed->step << ")\n";
  return exit_ok;
}

} // namespace

exit_code change_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh change --coordinator HOST:PORT --set job.strategy=ssp [--set ...]",
      .description =
          "Changes how the running job keeps in step, at the end of the epoch that its workers\n"
          "have begun: job.strategy, job.staleness, job.delay, job.backup_workers (`gradmesh\n"
          "config sample job` explains them). The parameters go on as they are.",
      .positional = {}};
  add_access_options(options.named);
  add_set_option(options.named);
  return with_options(options, arguments, [](const po::variables_map& values) {
    const auto access = access_of(values);
    if (!access) {
      (void)report_failure("change", access.failure());
      return exit_usage;
    }
    if (values.count("set") == 0) {
      std::cerr << "gradmesh change: error: nothing to change; say what, as in --set "
                   "job.strategy=async\n";
      return exit_usage;
    }
    return change(values["set"].as<std::vector<std::string>>(), *access);
  });
}

} // namespace gradmesh::tools
