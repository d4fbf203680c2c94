#include "actors/coordinator/job_report.hpp"

#include "actors/defaults.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradmesh::coordinator {
namespace {

schema::WorkerProgress::Reader
progress_in(const std::unique_ptr<capnp::MallocMessageBuilder>& kept) {
  return kept->getRoot<schema::WorkerProgress>().asReader();
}

void add_totals(schema::WorkerProgress::Builder to, schema::WorkerProgress::Reader more) {
  to.setSteps(to.getSteps() + more.getSteps());
  to.setExamples(to.getExamples() + more.getExamples());
  to.setSkippedExamples(to.getSkippedExamples() + more.getSkippedExamples());
  to.setActiveSeconds(to.getActiveSeconds() + more.getActiveSeconds());
  to.setBusyLeaseSeconds(to.getBusyLeaseSeconds() + more.getBusyLeaseSeconds());
  to.setBusyPullSeconds(to.getBusyPullSeconds() + more.getBusyPullSeconds());
  to.setBusyPushSeconds(to.getBusyPushSeconds() + more.getBusyPushSeconds());
  to.setHeldPullSeconds(to.getHeldPullSeconds() + more.getHeldPullSeconds());
  to.setLossSum(to.getLossSum() + more.getLossSum());
  to.setCorrect(to.getCorrect() + more.getCorrect());
  to.setStalenessSum(to.getStalenessSum() + more.getStalenessSum());
  to.setStalenessMax(std::max(to.getStalenessMax(), more.getStalenessMax()));
  to.setPushes(to.getPushes() + more.getPushes());
  to.setPulls(to.getPulls() + more.getPulls());
  to.setBytesSent(to.getBytesSent() + more.getBytesSent());
  to.setBytesReceived(to.getBytesReceived() + more.getBytesReceived());
  to.setComputeSeconds(to.getComputeSeconds() + more.getComputeSeconds());
  to.setStalledLeaseSeconds(to.getStalledLeaseSeconds() + more.getStalledLeaseSeconds());
  to.setStalledPullSeconds(to.getStalledPullSeconds() + more.getStalledPullSeconds());
  to.setStalledPushSeconds(to.getStalledPushSeconds() + more.getStalledPushSeconds());
}

} // namespace

void job_report::begin_phase(schema::JobPhase phase, env::time_point now) {
  last_phase_seconds_ = env::seconds_between(phase_began_, now);
  if (phase_ == schema::JobPhase::TRAINING) {
    train_seconds_ += last_phase_seconds_;
    keep_training();
  }
  phase_ = phase;
  phase_began_ = now;
  if (phase == schema::JobPhase::TRAINING) {
    phase_examples_.clear();
    recent_loss_.clear();
  }
  if (phase == schema::JobPhase::EVALUATING) evaluation_.clear();
}

void job_report::keep_training() {
  for (const auto& [who, progress] : training_) {
    auto& copy = earlier_[who];
    copy = std::make_unique<capnp::MallocMessageBuilder>();
    copy->setRoot(progress_in(progress));
  }
}

void job_report::end(env::time_point now) {
  last_phase_seconds_ = env::seconds_between(phase_began_, now);
  ended_ = true;
}

void job_report::add(const mesh::message<schema::PhaseProgress>& progress) {
  const auto worker = (*progress).getProgress();
  auto copy = std::make_unique<capnp::MallocMessageBuilder>();
  copy->setRoot(worker);
  if (phase_ != schema::JobPhase::TRAINING) {
    evaluation_[progress.sender()] = std::move(copy);
    return;
  }
  phase_examples_[progress.sender()] = worker.getExamples() + worker.getSkippedExamples();
  if (const auto before = earlier_.find(progress.sender()); before != earlier_.end())
    add_totals(copy->getRoot<schema::WorkerProgress>(), progress_in(before->second));
  training_[progress.sender()] = std::move(copy);
  const double loss = worker.getRecentLoss();
  if (std::isnan(loss)) return;
  recent_loss_[progress.sender()] = loss;
  if (examples_total_ == 0) return;
  constexpr auto buckets = defaults::coordinator::loss_history_max;
  const auto bucket =
      std::min<std::uint64_t>(buckets - 1, examples_done() * buckets / examples_total_);
  loss_history_.resize(std::max<std::size_t>(loss_history_.size(), bucket + 1));
  loss_history_[bucket].sum += loss;
  ++loss_history_[bucket].count;
}

std::uint64_t job_report::examples_done() const {
  auto done = examples_before_;
  for (const auto& [who, examples] : phase_examples_)
    done += examples;
  return done;
}

double job_report::recent_loss() const {
  if (recent_loss_.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (const auto& [who, loss] : recent_loss_)
    sum += loss;
  return sum / static_cast<double>(recent_loss_.size());
}

void job_report::fill(schema::JobUpdate::Builder out, const job::job_plan& plan,
                      env::time_point now) const {
  const auto phase_seconds = ended_ ? last_phase_seconds_ : env::seconds_between(phase_began_, now);
  out.setPhase(phase_);
  out.setText(text);
  out.setEpochs(plan.config.job.epochs);
  out.setStepsTotal(plan.steps);
  out.setServers(static_cast<std::uint32_t>(plan.layout.size()));
  out.setWorkerCount(static_cast<std::uint32_t>(plan.workers.size()));
  out.setDataServers(plan.partitioned() ? 0 : static_cast<std::uint32_t>(plan.data_servers.size()));
  out.setExamplesTotal(examples_total_);
  out.setPhaseSeconds(phase_seconds);
  out.setTrainSeconds(train_seconds_ + (phase_ == schema::JobPhase::TRAINING ? phase_seconds : 0));
  out.setLoss(recent_loss());
  out.setTrainExamples(data.train_examples);
  out.setTestExamples(data.test_examples);
  out.setFeatures(plan.shape.features);
  out.setClasses(plan.shape.classes);
  out.setSource(data.source);
  out.setParameters(parameters);
  out.setModelFile(model_file);
  out.setParametersSha256(parameters_sha256);
  out.setFailedNode(failed_node);

  auto workers = out.initWorkers(static_cast<unsigned>(training_.size()));
  // In rank order; who is not there any more stands behind, as it was last.
  std::vector<std::pair<std::size_t, schema::WorkerProgress::Reader>> ordered;
  for (const auto& [who, progress] : training_)
    ordered.emplace_back(job::index_of(plan.workers, who), progress_in(progress));
  std::ranges::stable_sort(ordered, {}, [](const auto& entry) { return entry.first; });
  for (unsigned i = 0; i < ordered.size(); ++i)
    workers.setWithCaveats(i, ordered[i].second);

  std::uint64_t tested = 0;
  std::uint64_t correct = 0;
  double loss = 0;
  for (const auto& [who, progress] : evaluation_) {
    const auto worker = progress_in(progress);
    tested += worker.getExamples();
    correct += worker.getCorrect();
    loss += worker.getLossSum();
  }
  out.setTestDone(tested);
  out.setTestCorrect(correct);
  out.setTestLossSum(loss);
  out.setExamplesDone(phase_ == schema::JobPhase::EVALUATING ? tested : examples_done());

  // Buckets that no report fell into repeat the one before.
  auto history = out.initLossHistory(static_cast<unsigned>(loss_history_.size()));
  float latest = 0;
  for (unsigned b = 0; b < history.size(); ++b) {
    const auto& bucket = loss_history_[b];
    if (bucket.count > 0)
      latest = static_cast<float>(bucket.sum / static_cast<double>(bucket.count));
    history.set(b, latest);
  }
}

} // namespace gradmesh::coordinator
