#include "actors/worker/progress.hpp"

#include <algorithm>
#include <limits>

namespace gradmesh::worker {

void phase_progress::account(env::time_point now, const activity& what) {
  const auto seconds = env::seconds_between(since_, now);
  stalled_seconds_[static_cast<std::size_t>(present_.waiting_for)] += seconds;
  if (present_.leasing) leasing_seconds_ += seconds;
  if (present_.pulling) pulling_seconds_ += seconds;
  if (present_.pushing) pushing_seconds_ += seconds;
  since_ = now;
  present_ = what;
}

void phase_progress::add_step(const learning::step_metrics& metrics, double compute_seconds,
                              std::uint32_t epoch) {
  total_ += metrics;
  recent_ += metrics;
  ++steps_;
  compute_seconds_ += compute_seconds;
  epoch_ = epoch;
}

void phase_progress::add_acknowledged_push(std::uint64_t staleness) {
  ++pushes_;
  staleness_sum_ += staleness;
  staleness_max_ = std::max(staleness_max_, staleness);
}

void phase_progress::add_pull(env::time_point began, env::time_point now, double held) {
  // The request is taken to have been on its way for as long as the answer. What was held while the
  // step before had to wait as well is counted with that.
  const auto whole = env::seconds_between(began, now);
  held = std::min(held, whole);
  const auto end = (whole + held) / 2;
  const auto begin = std::max(end - held, env::seconds_between(began, last_pull_));
  held_pull_seconds_ += std::max(0.0, end - begin);
  last_pull_ = now;
}

void phase_progress::report(schema::WorkerProgress::Builder out) {
  out.setSteps(steps_);
  out.setExamples(total_.examples);
  out.setLossSum(total_.loss_sum);
  out.setCorrect(total_.correct);
  out.setRecentLoss(recent_.examples > 0 ? recent_.loss_sum / static_cast<double>(recent_.examples)
                                         : std::numeric_limits<double>::quiet_NaN());
  out.setStalenessSum(staleness_sum_);
  out.setStalenessMax(staleness_max_);
  out.setPushes(pushes_);
  out.setPulls(pulls_);
  out.setBytesSent(bytes_sent_);
  out.setBytesReceived(bytes_received_);
  out.setComputeSeconds(compute_seconds_);
  out.setStalledLeaseSeconds(stalled_seconds_[static_cast<std::size_t>(stall::lease)]);
  out.setStalledPullSeconds(stalled_seconds_[static_cast<std::size_t>(stall::pull)]);
  out.setStalledPushSeconds(stalled_seconds_[static_cast<std::size_t>(stall::push)]);
  out.setEpoch(epoch_);
  out.setSkippedExamples(skipped_examples_);
  out.setActiveSeconds(env::seconds_between(began_, since_));
  out.setBusyLeaseSeconds(leasing_seconds_);
  out.setBusyPullSeconds(std::max(0.0, pulling_seconds_ - held_pull_seconds_));
  out.setBusyPushSeconds(pushing_seconds_);
  out.setHeldPullSeconds(held_pull_seconds_);
  recent_ = {};
}

} // namespace gradmesh::worker
