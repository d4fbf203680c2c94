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
          {"examples", worker.getExamples()},
          {"pushes", worker.getPushes()},
          {"compute_seconds", number(worker.getComputeSeconds())},
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
  auto workers = json::array();
  for (const auto worker : update.getWorkers())
    workers.push_back(worker_json(worker));
  auto history = json::array();
  for (const float loss : update.getLossHistory())
    history.push_back(number(loss));
  return {{"job", text(update.getName())},
          {"phase", phase_name(update.getPhase())},
          {"failure", failed ? optional_text(update.getText()) : json()},
          {"failed_node", optional_text(update.getFailedNode())},
          {"strategy", text(update.getStrategy())},
          {"train_seconds", number(update.getTrainSeconds())},
          {"examples_per_second", number(examples_per_second(update))},
          {"examples", examples_trained(update)},
          {"train_examples", update.getTrainExamples()},
          {"test_examples", update.getTestExamples()},
          {"features", update.getFeatures()},
          {"classes", update.getClasses()},
          {"test_accuracy", number(test_accuracy(update))},
          {"test_loss", number(test_loss(update))},
          {"final_train_loss", number(update.getLoss())},
          {"epochs", update.getEpochs()},
          {"steps", update.getStepsTotal()},
          {"staleness_mean", number(stale.mean)},
          {"staleness_max", stale.max},
          {"parameters", update.getParameters()},
          {"parameters_sha256", optional_text(update.getParametersSha256())},
          {"model_file", optional_text(update.getModelFile())},
          {"source", optional_text(update.getSource())},
          {"workers", std::move(workers)},
          {"loss_history", std::move(history)}};
}

std::string to_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string summary_json(schema::JobUpdate::Reader update) {
  return to_line(job_json(update));
}

} // namespace gradmesh::tools
