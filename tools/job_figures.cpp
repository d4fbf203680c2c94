#include "tools/job_figures.hpp"

#include "config/diagnostic.hpp"

#include <algorithm>
#include <limits>

namespace gradmesh::tools {
namespace {

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : std::numeric_limits<double>::quiet_NaN();
}

} // namespace

const char* phase_name(schema::JobPhase phase) {
  switch (phase) {
  case schema::JobPhase::NONE:
    return "none";
  case schema::JobPhase::WAITING:
    return "waiting";
  case schema::JobPhase::LOADING:
    return "loading";
  case schema::JobPhase::PREPARING:
    return "preparing";
  case schema::JobPhase::TRAINING:
    return "training";
  case schema::JobPhase::EVALUATING:
    return "evaluating";
  case schema::JobPhase::SAVING:
    return "saving";
  case schema::JobPhase::DONE:
    return "done";
  case schema::JobPhase::FAILED:
    return "failed";
  case schema::JobPhase::CANCELLED:
    return "cancelled";
  }
  return "unknown";
}

bool has_ended(schema::JobPhase phase) {
  return phase == schema::JobPhase::DONE || phase == schema::JobPhase::FAILED ||
         phase == schema::JobPhase::CANCELLED;
}

bool is_synchronous(schema::JobUpdate::Reader update) {
  return update.getStrategy() == "bsp";
}

std::uint64_t examples_trained(schema::JobUpdate::Reader update) {
  std::uint64_t examples = 0;
  for (const auto worker : update.getWorkers())
    examples += worker.getExamples();
  return examples;
}

double examples_per_second(schema::JobUpdate::Reader update) {
  return ratio(static_cast<double>(examples_trained(update)), update.getTrainSeconds());
}

phase_progress progress_of(schema::JobUpdate::Reader update) {
  if (update.getPhase() == schema::JobPhase::TRAINING)
    return {static_cast<double>(examples_trained(update)),
            static_cast<double>(update.getExamplesTotal())};
  if (update.getPhase() == schema::JobPhase::EVALUATING)
    return {static_cast<double>(update.getTestDone()),
            static_cast<double>(update.getTestExamples())};
  return {};
}

staleness staleness_of(schema::JobUpdate::Reader update) {
  double sum = 0;
  double pushes = 0;
  std::uint64_t max = 0;
  for (const auto worker : update.getWorkers()) {
    sum += static_cast<double>(worker.getStalenessSum());
    pushes += static_cast<double>(worker.getPushes());
    max = std::max<std::uint64_t>(max, worker.getStalenessMax());
  }
  return {ratio(sum, pushes), max};
}

staleness staleness_of(schema::WorkerProgress::Reader worker) {
  return {
      ratio(static_cast<double>(worker.getStalenessSum()), static_cast<double>(worker.getPushes())),
      worker.getStalenessMax()};
}

double communication_seconds(schema::WorkerProgress::Reader worker) {
  return worker.getBusyLeaseSeconds() + worker.getBusyPullSeconds() + worker.getBusyPushSeconds();
}

double overlap_of(schema::JobUpdate::Reader update) {
  double active = 0;
  double longer = 0;
  for (const auto worker : update.getWorkers()) {
    active += worker.getActiveSeconds();
    longer += std::max<double>(worker.getComputeSeconds(), communication_seconds(worker));
  }
  return ratio(active, longer);
}

double test_accuracy(schema::JobUpdate::Reader update) {
  return ratio(static_cast<double>(update.getTestCorrect()),
               static_cast<double>(update.getTestDone()));
}

double test_loss(schema::JobUpdate::Reader update) {
  return ratio(update.getTestLossSum(), static_cast<double>(update.getTestDone()));
}

std::string shown(capnp::Text::Reader text) {
  return config::printable({text.begin(), text.size()});
}

} // namespace gradmesh::tools
