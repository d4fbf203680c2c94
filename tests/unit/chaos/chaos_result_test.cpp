#include "tools/chaos/chaos_result.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::tools::chaos;
using namespace std::chrono_literals;

namespace {

fault_outcome killed(double recovery) {
  return {{fault_kind::kill, "server-1", 0ms, {}}, 4711, 12.345, recovery, 0.5};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("the last line of a report is the verdict") {
  chaos_result result;
  result.faults = {killed(0.4)};
  result.jobs_done = 1;
  CHECK(result.passed());
  CHECK(report_text(result).ends_with("\nverdict: PASS: 1 fault(s), 0 violation(s)\n"));

  result.failure = "node 'server-1' is gone";
  CHECK_FALSE(result.passed());
  CHECK(verdict_line(result) == "verdict: FAILED: 1 fault(s), 0 violation(s); the job was not "
                                "finished: node 'server-1' is gone");
  result.violations = {"of 64 examples 1 were applied too seldom"};
  CHECK_FALSE(result.passed());
  CHECK(verdict_line(result).starts_with("verdict: VIOLATED: 1 fault(s), 1 violation(s)"));
  CHECK(contains(report_text(result), "\nviolation: of 64 examples 1 were"));

  chaos_result interrupted;
  interrupted.interrupted = true;
  CHECK_FALSE(interrupted.passed());
  CHECK(verdict_line(interrupted).starts_with("verdict: INTERRUPTED"));
}

TEST_CASE("one violation alone is enough not to pass") {
  chaos_result result;
  result.violations = {"x"};
  CHECK_FALSE(result.passed());
}

TEST_CASE("recovery times are shown by kind, with those that have none left out") {
  chaos_result result;
  for (const double seconds : {0.1, 0.2, 0.3, 0.4, 9.0})
    result.faults.push_back(killed(seconds));
  result.faults.push_back(killed(0));
  result.faults.back().recovery_seconds.reset();
  result.faults.push_back({{fault_kind::stop, "worker-0", 350ms, {}}, 1, 1, 0.7, 0.8});
  const auto text = report_text(result);
  CAPTURE(text);
  CHECK(contains(text, "kill       6            0.30s  9.00s  9.00s\n"));
  CHECK(contains(text, "stop       1            0.70s  0.70s  0.70s\n"));
  const auto json = report_json(result);
  CHECK(json["recovery"][0]["faults"] == 6);
  CHECK(json["recovery"][0]["median_seconds"] == 0.3);
  CHECK(json["recovery"][0]["max_seconds"] == 9.0);
  CHECK(json["faults"][5]["recovery_seconds"].is_null());
  CHECK(json["verdict"] == "PASS");
  CHECK(json["failure"].is_null());
}

TEST_CASE("a fault's line says when, what, whom and how long it took") {
  CHECK(fault_line(killed(0.41)) ==
        "   12.35s  server-1 (process 4711): kill; steps went on after 0.41s, member again after "
        "0.50s");
  fault_outcome cut{{fault_kind::partition, "worker-0", 800ms, cut_shape::leaving}, 9, 1, {}, {}};
  CHECK(fault_line(cut) == "    1.00s  worker-0 (process 9): partition (leaving) for 800 ms; no "
                           "step was seen after it");
}

TEST_CASE("counts and the undisturbed bits are part of the report") {
  chaos_result result;
  result.counts = {{1000, 1, 2, 1.0}};
  result.sha256 = "abcd";
  CHECK(contains(report_text(result), "counting model: 1000 examples, 1 lost, 2 doubled\n"));
  CHECK(contains(report_text(result), "undisturbed parameters: sha256 abcd\n"));
  CHECK(report_json(result)["counts"][0]["doubled"] == 2);
}

TEST_CASE("that others went on while a shard recovered is said, with the poorest of all faults") {
  chaos_result result;
  result.faults = {killed(0.4), killed(0.4), killed(0.4)};
  CHECK_FALSE(contains(report_text(result), "other shards while one recovers"));
  result.faults[0].pushes = {.primary_hit = true, .first_push = 0.05, .apart_least = 17};
  result.faults[1].pushes = {.primary_hit = true, .first_push = 0.06, .apart_least = 4};
  result.faults[2].pushes = {.primary_hit = true, .first_push = 0.06};
  CHECK(
      contains(report_text(result),
               "other shards while one recovers: at least 4 push(es) acknowledged in each 100 ms, "
               "by shards with no copy on the node that was hit\n"));
  CHECK(report_json(result)["first_push"][0]["apart_least_per_window"] == 4);
  CHECK(report_json(result)["faults"][2]["pushes"]["apart_least_per_window"].is_null());
}

TEST_CASE("what shards refuse without their coordinator is told from what it has them refuse") {
  chaos_result result;
  result.faults = {killed(0.4), killed(0.4), killed(0.4)};
  result.faults[0].what.node = result.faults[1].what.node = "coordinator";
  for (auto& f : result.faults)
    f.pushes = {.acknowledged = 70, .acknowledged_meanwhile = 50};
  result.faults[0].pushes->refused["retry_later"] = {2, 0.1, 0.2};
  result.faults[0].pushes->refused_meanwhile = 2;
  result.faults[1].pushes->refused["retry_later"] = {1, 0.3, 0.3};
  result.faults[1].pushes->refused["stale_layout"] = {4, 0.5, 0.75};
  result.faults[1].pushes->refused_meanwhile = 1;
  CHECK(contains(report_text(result),
                 "coordinator hit 2 time(s): 100 pushes acknowledged and 3 refused while it was "
                 "away; 4 refused when it was back, by what it decided then\n"));
  const auto json = report_json(result);
  CHECK(json["without_coordinator"]["refused"] == 3);
  CHECK(json["without_coordinator"]["refused_then"] == 4);
  CHECK(json["faults"][1]["pushes"]["refusals"][1]["last_seconds"] == 0.75);
}
