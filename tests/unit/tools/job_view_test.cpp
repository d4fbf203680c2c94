#include "tests/unit/tools/job_update.hpp"
#include "tests/unit/tools/text_stream.hpp"
#include "tools/job_view.hpp"
#include "tools/job_view_terminal.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::tools;
using schema::JobPhase;

TEST_CASE("in a pipe a job is a line for each phase and each tenth of the training") {
  const text_stream out;
  const auto view = make_job_view(out.file());
  view->update(job_update().phase(JobPhase::WAITING, "waiting for 1 worker"));
  view->update(job_update().phase(JobPhase::WAITING, "waiting for 1 worker"));
  view->update(job_update().phase(JobPhase::LOADING));
  view->update(job_update().phase(JobPhase::TRAINING).trained(0, 0, std::nan("")));
  view->update(job_update().phase(JobPhase::TRAINING).trained(100, 0.2, 3));
  view->update(job_update().phase(JobPhase::TRAINING).trained(700, 1.4, 1.5));
  view->update(job_update().phase(JobPhase::TRAINING).trained(720, 1.5, 1.5));
  view->update(job_update().phase(JobPhase::EVALUATING).trained(2000, 4, 0.5));
  view->update(job_update().done());
  view->close();
  CHECK(out.text() ==
        "quick: waiting: waiting for 1 worker\n"
        "quick: loading\n"
        "quick: training on 1,000 examples (262,144 features, 55 classes) from 1100 Debian "
        "packages, async, 2 epochs\n"
        "training  30%  loss 1.5000  500 examples/s  staleness 1.00 (max 3)  ETA 2.6s\n"
        "training 100%  loss 0.5000  500 examples/s  staleness 1.00 (max 3)\n"
        "quick: evaluating on 100 test examples\n"
        "quick: done\n");
}

TEST_CASE("what happens to nodes is a line among those of the job") {
  const text_stream out;
  const auto view = make_job_view(out.file());
  view->update(job_update().phase(JobPhase::LOADING));
  view->note("node 'worker-0' started again");
  view->update(job_update().phase(JobPhase::PREPARING));
  CHECK(out.text() == "quick: loading\nnode 'worker-0' started again\nquick: preparing\n");
}

TEST_CASE("what is waited for is a line whenever it changes") {
  const text_stream out;
  const auto view = make_job_view(out.file());
  view->update(job_update().phase(JobPhase::WAITING, "waiting for 2 workers"));
  view->update(job_update().phase(JobPhase::WAITING, "waiting for 1 worker"));
  CHECK(out.text() == "quick: waiting: waiting for 2 workers\n"
                      "quick: waiting: waiting for 1 worker\n");
}

TEST_CASE("what is said of a job while it trains is a line of its own, once") {
  const text_stream out;
  const auto view = make_job_view(out.file());
  const auto training = [&](const std::string& text) {
    view->update(job_update().phase(JobPhase::TRAINING, text));
  };
  training("passed over: checkpoint 000016");
  training("passed over: checkpoint 000016");
  training("");
  training("no checkpoint was written: disk full");
  CHECK(out.text() == "quick: training on 1,000 examples (262,144 features, 55 classes) from 1100 "
                      "Debian packages, async, 2 epochs\n"
                      "quick: passed over: checkpoint 000016\n"
                      "quick: no checkpoint was written: disk full\n");
}

TEST_CASE("a training that fails is not said to have reached its end") {
  const text_stream out;
  const auto view = make_job_view(out.file());
  job_update failed;
  failed.phase(JobPhase::FAILED, "node 'worker-1' is gone").trained(700, 1.4, 1.5);
  view->update(job_update().phase(JobPhase::TRAINING).trained(700, 1.4, 1.5));
  view->update(failed);
  CHECK(out.text().find("100%") == std::string::npos);
  CHECK(out.text().ends_with("quick: failed: node 'worker-1' is gone\n"));
}

TEST_CASE("a synchronous job has no staleness to show") {
  const text_stream out;
  const auto view = make_job_view(out.file());
  job_update update;
  (*update).setStrategy("bsp");
  view->update(update.phase(JobPhase::TRAINING).trained(700, 1.4, 1.5));
  CHECK(out.text().find("staleness") == std::string::npos);
  for (const auto& line : job_lines(update, {}))
    CHECK(line.find("staleness") == std::string::npos);
}

TEST_CASE("on a terminal a job is its progress, loss curve and workers") {
  const auto lines =
      job_lines(job_update().phase(JobPhase::TRAINING).trained(1000, 2, 0.5), terminal{});
  REQUIRE(lines.size() == 7);
  CHECK(lines[0] == "quick  training  2.0s");
  CHECK(lines[1] == "███████████████░░░░░░░░░░░░░░░ 50%  500 examples/s  ETA 2.0s");
  CHECK(lines[2] == "loss 0.5000  █▃▁");
  CHECK(lines[3] == "staleness 1.00 (max 3) updates");
  CHECK(lines[4] == "WORKER    STEPS  EXAMPLES/S  WAIT_DATA  WAIT_PULL  WAIT_PUSH");
  CHECK(lines[5] == "worker-0     10         250        10%        25%         0%");
}

TEST_CASE("before the training a job is one line") {
  CHECK(job_lines(job_update().phase(JobPhase::WAITING, "waiting for 1 worker"), terminal{}) ==
        std::vector<std::string>{"quick  waiting  0ms  waiting for 1 worker"});
}

TEST_CASE("a text of a peer cannot steer the terminal") {
  const auto lines =
      job_lines(job_update().phase(JobPhase::FAILED, "bad \x1b[2J\ntext"), terminal{});
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "quick  failed  bad \\x1b[2J\\x0atext");
}
