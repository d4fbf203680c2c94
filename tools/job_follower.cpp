#include "tools/job_follower.hpp"

#include "actors/mesh/receive.hpp"
#include "tools/job_figures.hpp"
#include "tools/options.hpp"
#include "tools/signals.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <iostream>

namespace gradmesh::tools {
namespace {

constexpr std::chrono::milliseconds look_around{100};
constexpr std::chrono::milliseconds ask_interval{200};
constexpr std::chrono::seconds cancel_limit{5};
/// The coordinator tells several times a second how far a job is.
constexpr std::chrono::seconds silence_limit{30};
constexpr std::chrono::milliseconds casualty_limit{500};

} // namespace

job_follower::job_follower(mesh_client& client, std::uint64_t job_id, const follow_options& options,
                           local_mesh* local)
    : client_(client), job_id_(job_id), options_(options), local_(local),
      view_(make_job_view(stderr)), last_heard_(clock::now()) {}

exit_code job_follower::run() {
  while (true)
    if (const auto ended = look()) return *ended;
}

std::optional<exit_code> job_follower::look() {
  if (interrupted()) return interrupt();
  look_after();
  if (const auto dead = local_ ? local_->end() : std::nullopt) {
    view_->close();
    return report_failure(options_.verb, {errc::node_lost, *dead});
  }
  if (lost_) return seek_coordinator();
  return asking_ ? ask() : listen();
}

std::optional<exit_code> job_follower::listen() {
  const auto update = client_.next_update(look_around);
  if (!update) {
    lose_link(update.failure());
    return std::nullopt;
  }
  if (!*update) {
    if (clock::now() - last_heard_ < silence_limit) return std::nullopt;
    return give_up({errc::timed_out,
                    fmt::format("the coordinator has said nothing of the job for {} s; is its "
                                "process stopped?",
                                silence_limit.count())});
  }
  last_heard_ = clock::now();
  std::optional<exit_code> ended;
  const auto shown = mesh::guarded([&] {
    ended = show(***update);
    return result<void>();
  });
  if (!shown) return give_up(shown.failure());
  return ended;
}

std::optional<exit_code> job_follower::ask() {
  auto status = client_.status();
  if (!status) {
    if (clock::now() - last_heard_ > silence_limit) return give_up(status.failure());
    lose_link(status.failure());
    return std::nullopt;
  }
  last_heard_ = clock::now();
  std::optional<exit_code> ended;
  const auto shown = mesh::guarded([&] {
    const auto job = (**status).getJob();
    ended = job.getJobId() == job_id_
                ? show(job)
                : give_up({errc::node_lost,
                           fmt::format("the coordinator was restarted and does not know job {}",
                                       job_id_)});
    return result<void>();
  });
  if (!shown) return give_up(shown.failure());
  if (!ended) poll(nullptr, 0, static_cast<int>(ask_interval.count()));
  return ended;
}

void job_follower::lose_link(const error& why) {
  lost_ = why;
  view_->note(why.text + "; looking for it again");
}

std::optional<exit_code> job_follower::seek_coordinator() {
  if (client_.relink(look_around)) {
    lost_.reset();
    asking_ = true;
    return std::nullopt;
  }
  if (clock::now() - last_heard_ < silence_limit) return std::nullopt;
  return give_up({lost_->code, fmt::format("{}; it did not come back within {} s", lost_->text,
                                           silence_limit.count())});
}

exit_code job_follower::interrupt() {
  view_->close();
  std::cerr << "gradmesh " << options_.verb << ": interrupted; cancelling the job\n";
  client_.cancel(job_id_);
  // Waits a little for the coordinator's word that the job is cancelled.
  const auto deadline = clock::now() + cancel_limit;
  while (clock::now() < deadline) {
    const auto update = client_.next_update(look_around);
    if (!update || (*update && has_ended((***update).getPhase()))) break;
  }
  return exit_interrupted;
}

std::optional<exit_code> job_follower::show(schema::JobUpdate::Reader job) {
  view_->update(job);
  if (!has_ended(job.getPhase())) return std::nullopt;
  return finish(job);
}

exit_code job_follower::finish(schema::JobUpdate::Reader job) {
  view_->close();
  // Before the summary, because it tells of restarts.
  const auto found = job.getPhase() == schema::JobPhase::FAILED ? late_casualty() : std::nullopt;
  const auto restarts = local_ ? local_->restarts() : 0;
  const auto json = summary_json(job, restarts) + "\n";
  if (options_.json) std::cout << json;
  if (!options_.report_file.empty())
    if (auto written = env::make_disk()->write(options_.report_file, json); !written)
      return report_failure(options_.verb, written.failure());
  if (job.getPhase() != schema::JobPhase::DONE) {
    const auto code = report_failure(options_.verb, {errc::node_lost, summary_text(job, restarts)});
    if (found) std::cerr << *found;
    return code;
  }
  if (!options_.json) std::cout << summary_text(job, restarts);
  return exit_ok;
}

exit_code job_follower::give_up(const error& why) {
  view_->close();
  const auto found = late_casualty();
  return report_failure(options_.verb,
                        found ? error{errc::node_lost, why.text + "\n" + *found} : why);
}

void job_follower::look_after() {
  if (!local_) return;
  for (const auto& line : local_->look_after())
    view_->note(line);
}

std::optional<std::string> job_follower::late_casualty() {
  if (!local_) return std::nullopt;
  const auto deadline = clock::now() + casualty_limit;
  while (true) {
    look_after();
    auto found = local_->casualty();
    if (found || clock::now() >= deadline) return found;
    poll(nullptr, 0, 10);
  }
}

} // namespace gradmesh::tools
