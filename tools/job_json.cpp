#include "tools/job_json.hpp"

#include "tools/job_figures.hpp"
#include "tools/job_view.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace gradmesh::tools {
namespace {

using json = nlohmann::ordered_json;

std::string text(capnp::Text::Reader t) {
  return {t.begin(), t.size()};
}

json number(double value) {
  return std::isfinite(value) ? json(value) : json();
}

/// Null for a text that is not set.
json optional_text(capnp::Text::Reader t) {
  return t.size() > 0 ? json(text(t)) : json();
}

json worker_json(schema::WorkerProgress::Reader worker) {
  const auto stale = staleness_of(worker);
  return {{"name", text(worker.getName())},
          {"rank", worker.getRank()},
          {"steps", worker.getSteps()},
          {"samples", worker.getExamples()},
          {"pushes", worker.getPushes()},
          {"pulls", worker.getPulls()},
          {"bytes_sent", worker.getBytesSent()},
          {"bytes_received", worker.getBytesReceived()},
          {"compute_seconds", number(worker.getComputeSeconds())},
          {"active_seconds", number(worker.getActiveSeconds())},
          {"busy_lease_seconds", number(worker.getBusyLeaseSeconds())},
          {"busy_pull_seconds", number(worker.getBusyPullSeconds())},
          {"busy_push_seconds", number(worker.getBusyPushSeconds())},
          {"held_pull_seconds", number(worker.getHeldPullSeconds())},
          {"stalled_lease_seconds", number(worker.getStalledLeaseSeconds())},
          {"stalled_pull_seconds", number(worker.getStalledPullSeconds())},
          {"stalled_push_seconds", number(worker.getStalledPushSeconds())},
          {"staleness_mean", number(stale.mean)},
          {"staleness_max", stale.max}};
}

} // namespace

json job_json(schema::JobUpdate::Reader update) {
  if (update.getPhase() == schema::JobPhase::NONE) return {};
  const bool failed = update.getPhase() == schema::JobPhase::FAILED;
  const auto stale = staleness_of(update);
  std::uint64_t pushes = 0;
  std::uint64_t pulls = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  auto workers = json::array();
  for (const auto worker : update.getWorkers()) {
    workers.push_back(worker_json(worker));
    pushes += worker.getPushes();
    pulls += worker.getPulls();
    sent += worker.getBytesSent();
    received += worker.getBytesReceived();
  }
  auto history = json::array();
  for (const float loss : update.getLossHistory())
    history.push_back(number(loss));
  return {{"job", text(update.getName())},
          {"phase", phase_name(update.getPhase())},
          {"failure", failed ? optional_text(update.getText()) : json()},
          {"failed_node", optional_text(update.getFailedNode())},
          {"text", optional_text(update.getText())},
          {"strategy", text(update.getStrategy())},
          {"servers", update.getServers()},
          {"workers", update.getWorkerCount()},
          {"data_servers", update.getDataServers()},
          {"epochs", update.getEpochs()},
          {"steps", update.getStepsTotal()},
          {"samples", examples_trained(update)},
          {"train_seconds", number(update.getTrainSeconds())},
          {"samples_per_second", number(examples_per_second(update))},
          {"overlap", number(overlap_of(update))},
          {"train_loss", number(update.getLoss())},
          {"test_loss", number(test_loss(update))},
          {"test_accuracy", number(test_accuracy(update))},
          {"pushes", pushes},
          {"pulls", pulls},
          {"bytes_sent", sent},
          {"bytes_received", received},
          {"staleness_mean", number(stale.mean)},
          {"staleness_max", stale.max},
          {"parameters", update.getParameters()},
          {"parameters_sha256", optional_text(update.getParametersSha256())},
          {"model_file", optional_text(update.getModelFile())},
          {"source", optional_text(update.getSource())},
          {"train_samples", update.getTrainExamples()},
          {"test_samples", update.getTestExamples()},
          {"features", update.getFeatures()},
          {"classes", update.getClasses()},
          {"by_worker", std::move(workers)},
          {"loss_history", std::move(history)}};
}

std::string to_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string summary_json(schema::JobUpdate::Reader update, std::uint32_t restarts) {
  auto summary = job_json(update);
  summary["restarts"] = restarts;
  return to_line(summary);
}

} // namespace gradmesh::tools
