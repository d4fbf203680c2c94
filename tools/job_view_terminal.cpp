#include "tools/job_view_terminal.hpp"

#include "tools/figures.hpp"
#include "tools/job_figures.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

namespace gradmesh::tools {
namespace {

constexpr std::size_t bar_columns = 30;
constexpr std::size_t curve_columns = 48;

std::string title_line(schema::JobUpdate::Reader update, const terminal& where) {
  const auto phase = update.getPhase();
  std::string state = phase_name(phase);
  if (phase == schema::JobPhase::FAILED) state = paint(where, style::red, state);
  if (phase == schema::JobPhase::DONE) state = paint(where, style::green, state);
  auto line = fmt::format("{}  {}", paint(where, style::bold, shown(update.getName())), state);
  if (!has_ended(phase)) line += "  " + short_duration(update.getPhaseSeconds());
  if (update.getText().size() > 0) line += "  " + shown(update.getText());
  return line;
}

std::string bar_line(schema::JobUpdate::Reader update) {
  const auto progress = progress_of(update);
  const double rate = update.getPhase() == schema::JobPhase::TRAINING
                          ? examples_per_second(update)
                          : progress.done / update.getPhaseSeconds();
  return fmt::format(
      "{} {}  {} examples/s  ETA {}", progress_bar(progress.fraction(), bar_columns),
      percent(progress.fraction(), 0), short_count(rate),
      short_duration(eta_seconds(progress.done, progress.total, update.getPhaseSeconds())));
}

std::string loss_line(schema::JobUpdate::Reader update) {
  std::vector<float> history;
  for (const float loss : update.getLossHistory())
    history.push_back(loss);
  return fmt::format("loss {}  {}", fixed(update.getLoss(), 4), sparkline(history, curve_columns));
}

std::string staleness_line(schema::JobUpdate::Reader update) {
  const auto stale = staleness_of(update);
  return fmt::format("staleness {} (max {}) updates", fixed(stale.mean, 2), stale.max);
}

/// The share of the training so far in which a worker's compute stage waited for each of the three
/// other stages.
table worker_table(schema::JobUpdate::Reader update) {
  table workers{{{"WORKER"},
                 {"STEPS", true},
                 {"EXAMPLES/S", true},
                 {"WAIT_DATA", true},
                 {"WAIT_PULL", true},
                 {"WAIT_PUSH", true}},
                {}};
  const double seconds = update.getTrainSeconds();
  for (const auto worker : update.getWorkers())
    workers.rows.push_back({shown(worker.getName()), std::to_string(worker.getSteps()),
                            short_count(static_cast<double>(worker.getExamples()) / seconds),
                            percent(worker.getStalledLeaseSeconds() / seconds, 0),
                            percent(worker.getStalledPullSeconds() / seconds, 0),
                            percent(worker.getStalledPushSeconds() / seconds, 0)});
  return workers;
}

} // namespace

std::vector<std::string> job_lines(schema::JobUpdate::Reader update, const terminal& where) {
  std::vector<std::string> lines{title_line(update, where)};
  if (progress_of(update).total > 0) lines.push_back(bar_line(update));
  if (update.getWorkers().size() == 0) return lines;
  lines.push_back(loss_line(update));
  if (!is_synchronous(update)) lines.push_back(staleness_line(update));
  auto workers = render(worker_table(update));
  workers.front() = paint(where, style::dim, workers.front());
  lines.insert(lines.end(), workers.begin(), workers.end());
  return lines;
}

void job_view_terminal::update(schema::JobUpdate::Reader update) {
  const auto where = terminal_of(out_);
  block_.draw(job_lines(update, where), where);
}

} // namespace gradmesh::tools
