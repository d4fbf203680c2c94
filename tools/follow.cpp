#include "tools/follow.hpp"

#include "actors/mesh/receive.hpp"
#include "tools/job_figures.hpp"
#include "tools/job_view.hpp"
#include "tools/options.hpp"
#include "tools/signals.hpp"

#include <cstdio>
#include <iostream>
#include <thread>

namespace gradmesh::tools {
namespace {

constexpr std::chrono::milliseconds look_around{100};
constexpr std::chrono::seconds cancel_limit{5};
/// The coordinator tells several times a second how far a job is.
constexpr std::chrono::seconds silence_limit{30};
/// A process that died is seen by its links before it is seen by its parent.
constexpr std::chrono::milliseconds casualty_limit{500};

/// Waits a little for the coordinator's word that the job is cancelled.
void cancel_job(mesh_client& client, std::uint64_t job_id) {
  client.cancel(job_id);
  const auto deadline = std::chrono::steady_clock::now() + cancel_limit;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto update = client.next_update(look_around);
    if (!update || (*update && has_ended((***update).getPhase()))) return;
  }
}

/// Starts processes again that have died, and says so.
void look_after(local_mesh* local, job_view& view) {
  if (!local) return;
  for (const auto& line : local->look_after())
    view.note(line);
}

std::optional<std::string> late_casualty(local_mesh* local, job_view& view) {
  if (!local) return std::nullopt;
  const auto deadline = std::chrono::steady_clock::now() + casualty_limit;
  while (true) {
    look_after(local, view);
    auto found = local->casualty();
    if (found || std::chrono::steady_clock::now() >= deadline) return found;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

exit_code finish(schema::JobUpdate::Reader update, const follow_options& options,
                 std::uint32_t restarts) {
  const auto json = summary_json(update, restarts) + "\n";
  if (options.json) std::cout << json;
  if (!options.report_file.empty())
    if (auto written = env::make_disk()->write(options.report_file, json); !written)
      return report_failure(options.verb, written.failure());
  if (update.getPhase() != schema::JobPhase::DONE)
    return report_failure(options.verb, {errc::node_lost, summary_text(update, restarts)});
  if (!options.json) std::cout << summary_text(update, restarts);
  return exit_ok;
}

} // namespace

void add_follow_options(po::options_description& options) {
  options.add_options()("output,o",
                        po::value<std::string>()->default_value("table")->value_name("table|json"),
                        "form of the summary on standard output")(
      "report", po::value<std::string>()->default_value("")->value_name("FILE.json"),
      "write the summary to this file too, as JSON");
}

result<follow_options> parse_follow_options(const std::string& verb,
                                            const po::variables_map& values) {
  const auto& form = values["output"].as<std::string>();
  if (form != "table" && form != "json")
    return error{errc::invalid_argument, "--output: '" + form + "' is neither table nor json"};
  follow_options options{verb, form == "json", values["report"].as<std::string>()};
  // Better now than after an hour of training.
  if (!options.report_file.empty())
    if (auto written = env::make_disk()->write(options.report_file, ""); !written)
      return error{errc::io_failed, "--report: " + written.failure().text};
  return options;
}

exit_code follow_job(mesh_client& client, std::uint64_t job_id, const follow_options& options,
                     local_mesh* local) {
  const auto view = make_job_view(stderr);
  auto last_heard = std::chrono::steady_clock::now();
  while (true) {
    if (interrupted()) {
      view->close();
      std::cerr << "gradmesh " << options.verb << ": interrupted; cancelling the job\n";
      cancel_job(client, job_id);
      return exit_interrupted;
    }
    look_after(local, *view);
    const auto dead = local ? local->end() : std::nullopt;
    const auto update = client.next_update(look_around);
    // What a lost node was the cause of is less interesting than the node.
    if (dead) {
      view->close();
      return report_failure(options.verb, {errc::node_lost, *dead});
    }
    if (!update) {
      view->close();
      // Without its process the coordinator's link is gone too; the process tells more.
      const auto found = late_casualty(local, *view);
      return report_failure(options.verb,
                            found ? error{errc::node_lost, *found} : update.failure());
    }
    const auto now = std::chrono::steady_clock::now();
    if (!*update) {
      if (now - last_heard < silence_limit) continue;
      view->close();
      return report_failure(options.verb,
                            {errc::timed_out, "the coordinator has said nothing of the job for " +
                                                  std::to_string(silence_limit.count()) +
                                                  " s; is its process stopped?"});
    }
    last_heard = now;
    std::optional<exit_code> ended;
    const auto shown = mesh::guarded([&] {
      const auto job = ***update;
      view->update(job);
      if (has_ended(job.getPhase())) {
        view->close();
        // Before the summary, because it tells of restarts.
        const auto found =
            job.getPhase() == schema::JobPhase::FAILED ? late_casualty(local, *view) : std::nullopt;
        ended = finish(job, options, local ? local->restarts() : 0);
        if (found) std::cerr << *found;
      }
      return result<void>();
    });
    if (!shown) return report_failure(options.verb, shown.failure());
    if (ended) return *ended;
  }
}

} // namespace gradmesh::tools
