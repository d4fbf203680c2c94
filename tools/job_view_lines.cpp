#include "tools/job_view_lines.hpp"

#include "tools/figures.hpp"
#include "tools/job_figures.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::tools {
namespace {

std::string phase_line(schema::JobUpdate::Reader update) {
  auto line = fmt::format("{}: {}", shown(update.getName()), phase_name(update.getPhase()));
  const auto done = progress_of(update).fraction();
  switch (update.getPhase()) {
  case schema::JobPhase::TRAINING:
    if (done > 0)
      return line + fmt::format(" goes on from {:.1f}% with {} worker(s) and {} data server(s)",
                                done * 100, update.getWorkerCount(), update.getDataServers());
    line += fmt::format(" on {} examples ({} features, {} classes) from {}, {}, {} epochs",
                        grouped(update.getTrainExamples()), grouped(update.getFeatures()),
                        grouped(update.getClasses()), shown(update.getSource()),
                        shown(update.getStrategy()), update.getEpochs());
    break;
  case schema::JobPhase::EVALUATING:
    line += fmt::format(" on {} test examples", grouped(update.getTestExamples()));
    break;
  default:
    if (update.getText().size() > 0) line += ": " + shown(update.getText());
  }
  return line;
}

/// Phases whose line has no room for the job's text.
bool shows_figures(schema::JobPhase phase) {
  return phase == schema::JobPhase::TRAINING || phase == schema::JobPhase::EVALUATING;
}

std::string progress_line(schema::JobUpdate::Reader update, int tenths) {
  auto line = fmt::format("training {:3}%  loss {}  {} examples/s", tenths * 10,
                          fixed(update.getLoss(), 4), short_count(examples_per_second(update)));
  if (!is_synchronous(update)) {
    const auto stale = staleness_of(update);
    line += fmt::format("  staleness {} (max {})", fixed(stale.mean, 2), stale.max);
  }
  if (tenths < 10) {
    const auto progress = progress_of(update);
    line += "  ETA " +
            short_duration(eta_seconds(progress.done, progress.total, update.getPhaseSeconds()));
  }
  return line;
}

} // namespace

void job_view_lines::update(schema::JobUpdate::Reader update) {
  const auto phase = update.getPhase();
  const auto text = shown(update.getText());
  const bool new_phase = phase_ != phase;

  // The training can end between two updates: its last line is printed when the next phase comes.
  const bool training_done = new_phase && phase_ == schema::JobPhase::TRAINING &&
                             (phase == schema::JobPhase::EVALUATING ||
                              phase == schema::JobPhase::SAVING || phase == schema::JobPhase::DONE);
  if (training_done && tenths_ < 10) print(progress_line(update, tenths_ = 10));

  if (shows_figures(phase)) {
    // What is said beside them: a checkpoint that was passed over, a disk that is full.
    if (new_phase) print(phase_line(update));
    if ((new_phase || text_ != text) && !text.empty())
      print(fmt::format("{}: {}", shown(update.getName()), text));
  } else if (new_phase || text_ != text) {
    print(phase_line(update));
  }
  phase_ = phase;
  text_ = text;

  if (phase != schema::JobPhase::TRAINING) return;
  const int tenths = static_cast<int>(std::min(1.0, progress_of(update).fraction()) * 10);
  if (tenths > tenths_) print(progress_line(update, tenths_ = tenths));
}

void job_view_lines::print(const std::string& line) {
  std::fputs((line + '\n').c_str(), out_);
  std::fflush(out_);
}

} // namespace gradmesh::tools
