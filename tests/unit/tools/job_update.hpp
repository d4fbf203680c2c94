#pragma once

/// Job updates for the tests of the views: a job of 1,000 examples in 2 epochs with two workers.

#include "schema/job.capnp.h"

#include <capnp/message.h>

#include <cmath>
#include <string>

class job_update {
public:
  job_update() : root_(message_.initRoot<gradmesh::schema::JobUpdate>()) {
    root_.setName("quick");
    root_.setStrategy("async");
    root_.setEpochs(2);
    root_.setStepsTotal(40);
    root_.setExamplesTotal(2000);
    root_.setLoss(std::nan(""));
    root_.setTrainExamples(1000);
    root_.setTestExamples(100);
    root_.setFeatures(262144);
    root_.setClasses(55);
    root_.setServers(2);
    root_.setWorkerCount(2);
    root_.setDataServers(1);
    root_.setSource("1100 Debian packages");
  }

  job_update& phase(gradmesh::schema::JobPhase phase, const std::string& text = "") {
    root_.setPhase(phase);
    root_.setText(text);
    return *this;
  }

  /// Training for so many seconds; each worker has done half of the examples.
  job_update& trained(std::uint64_t examples, double seconds, double loss) {
    root_.setExamplesDone(examples);
    root_.setPhaseSeconds(seconds);
    root_.setTrainSeconds(seconds);
    root_.setLoss(loss);
    auto workers = root_.initWorkers(2);
    for (unsigned rank = 0; rank < 2; ++rank) {
      auto worker = workers[rank];
      worker.setRank(rank);
      worker.setName("worker-" + std::to_string(rank));
      worker.setSteps(examples / 100);
      worker.setExamples(examples / 2);
      worker.setPushes(10);
      worker.setPulls(12);
      worker.setBytesSent(3000);
      worker.setBytesReceived(4000);
      worker.setStalenessSum(5 + 10 * rank);
      worker.setStalenessMax(2 + rank);
      worker.setComputeSeconds(seconds / 2);
      worker.setStalledLeaseSeconds(seconds / 10);
      worker.setStalledPullSeconds(seconds / 4);
      worker.setStalledPushSeconds(0);
      worker.setActiveSeconds(seconds);
      worker.setBusyLeaseSeconds(seconds / 16);
      worker.setBusyPullSeconds(seconds / 8 * (1 + 3 * rank)); // the second communicates longer
      worker.setBusyPushSeconds(seconds / 16);                 // than it computes
      worker.setHeldPullSeconds(seconds / 4);
    }
    auto history = root_.initLossHistory(3);
    history.set(0, 2);
    history.set(1, 1);
    history.set(2, static_cast<float>(loss));
    return *this;
  }

  /// After the whole training in 4 s and the test.
  job_update& done() {
    phase(gradmesh::schema::JobPhase::DONE).trained(2000, 4, 0.5);
    root_.setTestDone(100);
    root_.setTestCorrect(87);
    root_.setTestLossSum(40);
    root_.setParameters(1'234'567);
    root_.setModelFile("quick.gmm");
    root_.setParametersSha256("abcd");
    return *this;
  }

  gradmesh::schema::JobUpdate::Builder operator*() { return root_; }
  operator gradmesh::schema::JobUpdate::Reader() const { return root_.asReader(); }

private:
  capnp::MallocMessageBuilder message_;
  gradmesh::schema::JobUpdate::Builder root_;
};
