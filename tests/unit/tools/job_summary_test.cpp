#include "tests/unit/tools/job_update.hpp"
#include "tools/job_summary.hpp"
#include "tools/job_view.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace gradmesh;
using namespace gradmesh::tools;
using nlohmann::json;
using schema::JobPhase;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("the summary says how good the model is, how long it took and where it is") {
  const auto text = summary_text(job_update().done());
  CAPTURE(text);
  CHECK(contains(text, "quick: done\n"));
  CHECK(contains(text, "test accuracy  87.00% (87 of 100 examples)\n"));
  CHECK(contains(text, "test loss      0.4000\n"));
  CHECK(contains(
      text, "training       4.0s, 500 examples/s (2,000 examples in 2 epochs, 40 steps, async)\n"));
  CHECK(contains(text, "staleness      1.00 (max 3) updates\n"));
  // Computing 2 s, communicating 1 s and 2.5 s, of 4 s each.
  CHECK(contains(text, "overlap        1.78 x the longer of computing (50% of the time) and "
                       "communicating (44%)\n"));
  CHECK(contains(text, "data           1100 Debian packages (1,000 train, 100 test, 262,144 "
                       "features, 55 classes)\n"));
  CHECK(contains(text, "model          1.23M parameters, saved as quick.gmm\n"));
  CHECK(contains(text, "sha256         abcd\n"));
  CHECK(contains(text, "gradmesh eval quick.gmm --data FILE"));
}

TEST_CASE("the summary does not invent an accuracy without a test set") {
  job_update update;
  (*update.done()).setTestDone(0);
  CHECK(contains(summary_text(update), "test accuracy  not measured: no test set\n"));
}

TEST_CASE("a model that was not saved is not offered to be scored") {
  job_update update;
  (*update.done()).setModelFile("");
  CHECK(contains(summary_text(update), "not saved: job.model_file is empty"));
  CHECK_FALSE(contains(next_steps(update), "gradmesh eval"));
}

TEST_CASE("the other strategy is what to try next") {
  job_update update;
  CHECK(contains(next_steps(update.done()), "job.strategy=bsp"));
  (*update).setStrategy("bsp");
  CHECK(contains(next_steps(update), "job.strategy=async"));
}

TEST_CASE("the summary of a failed job names the first failing node and the reason") {
  job_update update;
  update.phase(JobPhase::FAILED, "node 'worker-1' is gone: the link broke");
  (*update).setFailedNode("worker-1");
  const auto text = summary_text(update);
  CAPTURE(text);
  CHECK(contains(text, "quick: failed\n"));
  CHECK(contains(text, "first failure  worker-1\n"));
  CHECK(contains(text, "reason         node 'worker-1' is gone: the link broke\n"));
  CHECK_FALSE(contains(text, "accuracy"));
}

TEST_CASE("the summary tells how often processes were started again, if they were") {
  CHECK_FALSE(contains(summary_text(job_update().done()), "restarts"));
  CHECK(contains(summary_text(job_update().done(), 3), "restarts       3 of processes"));
  CHECK(json::parse(summary_json(job_update().done()))["restarts"] == 0);
  CHECK(json::parse(summary_json(job_update().done(), 3))["restarts"] == 3);
}

TEST_CASE("the summary for machines has every figure under a stable name") {
  const auto object = json::parse(summary_json(job_update().done()));
  CHECK(object["job"] == "quick");
  CHECK(object["phase"] == "done");
  CHECK(object["strategy"] == "async");
  CHECK(object["train_seconds"] == 4.0);
  CHECK(object["samples_per_second"] == 500.0);
  CHECK(object["samples"] == 2000);
  CHECK(object["train_samples"] == 1000);
  CHECK(object["test_samples"] == 100);
  CHECK(object["test_accuracy"].get<double>() == doctest::Approx(0.87));
  CHECK(object["test_loss"].get<double>() == doctest::Approx(0.4));
  CHECK(object["train_loss"] == 0.5);
  CHECK(object["epochs"] == 2);
  CHECK(object["steps"] == 40);
  CHECK(object["staleness_mean"] == 1.0);
  CHECK(object["overlap"].get<double>() == doctest::Approx(8 / 4.5));
  CHECK(object["staleness_max"] == 3);
  CHECK(object["parameters"] == 1'234'567);
  CHECK(object["parameters_sha256"] == "abcd");
  CHECK(object["model_file"] == "quick.gmm");
  CHECK(object["source"] == "1100 Debian packages");
  CHECK(object["failure"].is_null());
  CHECK(object["loss_history"] == json::array({2.0, 1.0, 0.5}));
  CHECK(object["servers"] == 2);
  CHECK(object["workers"] == 2);
  CHECK(object["data_servers"] == 1);
  CHECK(object["pushes"] == 20);
  CHECK(object["pulls"] == 24);
  CHECK(object["bytes_sent"] == 6000);
  CHECK(object["bytes_received"] == 8000);
  REQUIRE(object["by_worker"].size() == 2);
  const auto& worker = object["by_worker"][1];
  CHECK(worker["name"] == "worker-1");
  CHECK(worker["rank"] == 1);
  CHECK(worker["steps"] == 20);
  CHECK(worker["samples"] == 1000);
  CHECK(worker["compute_seconds"] == 2.0);
  CHECK(worker["stalled_lease_seconds"] == 0.4);
  CHECK(worker["active_seconds"] == 4.0);
  CHECK(worker["busy_lease_seconds"] == 0.25);
  CHECK(worker["busy_pull_seconds"] == 2.0);
  CHECK(worker["busy_push_seconds"] == 0.25);
  CHECK(worker["held_pull_seconds"] == 1.0);
  CHECK(worker["stalled_pull_seconds"] == 1.0);
  CHECK(worker["stalled_push_seconds"] == 0.0);
  CHECK(worker["staleness_mean"] == 1.5);
  CHECK(worker["staleness_max"] == 3);
}

TEST_CASE("what is not known yet is null for machines") {
  const auto object = json::parse(summary_json(job_update().phase(JobPhase::LOADING)));
  for (const char* name : {"samples_per_second", "test_accuracy", "test_loss", "train_loss",
                           "staleness_mean", "parameters_sha256", "model_file"}) {
    CAPTURE(name);
    REQUIRE(object.contains(name));
    CHECK(object[name].is_null());
  }
}

TEST_CASE("a name that is not UTF-8 does not break the summary for machines") {
  job_update update;
  (*update.done()).setName("a\xff");
  CHECK(json::parse(summary_json(update))["job"] == "a\xef\xbf\xbd");
}
