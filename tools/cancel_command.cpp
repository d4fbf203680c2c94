#include "tools/command.hpp"

#include "tools/job_figures.hpp"
#include "tools/mesh_client.hpp"
#include "tools/options.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

result<std::uint64_t> cancel(const mesh_access& access) {
  auto client = mesh_client::connect(env::real_environment(env::no_log(), {}), access);
  if (!client) return client.failure();
  const auto before = (*client)->status();
  if (!before) return before.failure();
  const auto job = (**before).getJob();
  if (job.getPhase() == schema::JobPhase::NONE || has_ended(job.getPhase()))
    return error{errc::refused, "no job is running"};
  const auto id = job.getJobId();
  (*client)->cancel(id);
  // Comes behind it on the same lane, so the answer shows what it has done.
  const auto after = (*client)->status();
  if (!after) return after.failure();
  if ((**after).getJob().getPhase() != schema::JobPhase::CANCELLED)
    return error{errc::refused, "job " + std::to_string(id) + " ended before it was cancelled"};
  return id;
}

} // namespace

exit_code cancel_command(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh cancel --coordinator HOST:PORT [--tls FOLDER]",
                       .description = "Ends the running job of a mesh; nothing of it is saved. "
                                      "The nodes stay, for the next job.",
                       .positional = {}};
  add_access_options(options.named);
  return with_options(options, arguments, [](const po::variables_map& values) {
    const auto access = access_of(values);
    if (!access) {
      (void)report_failure("cancel", access.failure());
      return exit_usage;
    }
    const auto cancelled = cancel(*access);
    if (!cancelled) return report_failure("cancel", cancelled.failure());
    std::cout << "job " << *cancelled << " is cancelled\n";
    return exit_ok;
  });
}

} // namespace gradmesh::tools
