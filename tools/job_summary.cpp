#include "tools/job_summary.hpp"

#include "tools/figures.hpp"
#include "tools/job_figures.hpp"
#include "tools/job_view.hpp"

#include <fmt/format.h>

#include <cmath>

namespace gradmesh::tools {
namespace {

std::string line(const char* what, const std::string& value) {
  return fmt::format("  {:<14} {}\n", what, value);
}

std::string test_lines(schema::JobUpdate::Reader update) {
  if (update.getTestDone() == 0) return line("test accuracy", "not measured: no test set");
  return line("test accuracy",
              fmt::format("{} ({} of {} examples)", percent(test_accuracy(update), 2),
                          grouped(update.getTestCorrect()), grouped(update.getTestDone()))) +
         line("test loss", fixed(test_loss(update), 4));
}

std::string training_lines(schema::JobUpdate::Reader update) {
  auto lines =
      line("training", fmt::format("{}, {} examples/s ({} examples in {} epochs, {} steps, {})",
                                   short_duration(update.getTrainSeconds()),
                                   short_count(examples_per_second(update)),
                                   grouped(examples_trained(update)), update.getEpochs(),
                                   grouped(update.getStepsTotal()), shown(update.getStrategy())));
  if (std::isfinite(update.getLoss())) lines += line("training loss", fixed(update.getLoss(), 4));
  if (!is_synchronous(update)) {
    const auto stale = staleness_of(update);
    lines += line("staleness", fmt::format("{} (max {}) updates", fixed(stale.mean, 2), stale.max));
  }
  return lines;
}

/// Where the workers' time went, as parts of it.
std::string overlap_line(schema::JobUpdate::Reader update) {
  double active = 0;
  double compute = 0;
  double communication = 0;
  for (const auto worker : update.getWorkers()) {
    active += worker.getActiveSeconds();
    compute += worker.getComputeSeconds();
    communication += communication_seconds(worker);
  }
  if (!(active > 0)) return {};
  return line("overlap", fmt::format("{} x the longer of computing ({} of the time) and "
                                     "communicating ({})",
                                     fixed(overlap_of(update), 2), percent(compute / active, 0),
                                     percent(communication / active, 0)));
}

std::string data_line(schema::JobUpdate::Reader update) {
  return line("data", fmt::format("{} ({} train, {} test, {} features, {} classes)",
                                  shown(update.getSource()), grouped(update.getTrainExamples()),
                                  grouped(update.getTestExamples()), grouped(update.getFeatures()),
                                  grouped(update.getClasses())));
}

std::string model_lines(schema::JobUpdate::Reader update) {
  const bool saved = update.getModelFile().size() > 0;
  return line("model", fmt::format("{} parameters, {}",
                                   short_count(static_cast<double>(update.getParameters())),
                                   saved ? "saved as " + shown(update.getModelFile())
                                         : "not saved: job.model_file is empty")) +
         line("sha256", shown(update.getParametersSha256()));
}

std::string failure_lines(schema::JobUpdate::Reader update) {
  std::string lines;
  if (update.getFailedNode().size() > 0)
    lines += line("first failure", shown(update.getFailedNode()));
  return lines + line("reason", update.getText().size() > 0 ? shown(update.getText()) : "unknown");
}

} // namespace

std::string next_steps(schema::JobUpdate::Reader update) {
  const auto step = [](const std::string& command, const char* why) {
    return fmt::format("  {:<52} {}\n", command, why);
  };
  if (update.getPhase() == schema::JobPhase::FAILED)
    return step("gradmesh config check FILE", "says all that is wrong with a job file");
  std::string steps;
  if (update.getModelFile().size() > 0)
    steps += step(fmt::format("gradmesh eval {} --data FILE", shown(update.getModelFile())),
                  "scores other data with this model");
  if (is_synchronous(update))
    steps +=
        step("gradmesh run JOB.ini --set job.strategy=async", "lets each worker go its own way");
  else
    steps += step("gradmesh run JOB.ini --set job.strategy=bsp", "keeps the workers in step");
  steps += step("gradmesh run JOB.ini --set mesh.workers=4", "spreads the work further");
  steps += step("gradmesh run config/mnist.ini", "trains a network on handwritten digits");
  return steps + step("gradmesh config sample job", "documents every option of a job");
}

std::string summary_text(schema::JobUpdate::Reader update, std::uint32_t restarts) {
  const auto phase = update.getPhase();
  auto text = fmt::format("{}: {}\n", shown(update.getName()), phase_name(phase));
  if (phase == schema::JobPhase::CANCELLED) return text;
  if (phase == schema::JobPhase::FAILED)
    text += failure_lines(update);
  else
    text += test_lines(update) + training_lines(update) + overlap_line(update) + data_line(update) +
            model_lines(update);
  if (restarts > 0) text += line("restarts", std::to_string(restarts) + " of processes that died");
  return text + "\nnext:\n" + next_steps(update);
}

} // namespace gradmesh::tools
