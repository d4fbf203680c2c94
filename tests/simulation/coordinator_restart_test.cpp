/// The coordinator dies and begins again, at any moment: its job is done all the same, with the
/// same counts or bits, and no two lives of it say different things.

#include "tests/simulation/seed_mesh.hpp"
#include "tools/sim/patient_client.hpp"
#include "tools/sim/seed_run.hpp"
#include "tools/sim/wire_watch.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

using namespace gradmesh;
using namespace gradmesh::tools::sim;
using namespace std::chrono_literals;

namespace {

/// Deaths of one node, one after the other.
seed_plan with_deaths(std::uint64_t seed, simulation::host_id who, bool power) {
  auto plan = plan_of(seed, {});
  env::random_stream chance(seed ^ 0xc1);
  auto at = 1ms * chance.below(250);
  for (int i = 0; i < 3; ++i) {
    const auto lasts = 1ms * (1 + chance.below(400));
    plan.faults.push_back({.kind = power ? fault_kind::power : fault_kind::crash,
                           .at = at,
                           .lasts = lasts,
                           .a = who});
    at += lasts + 1ms * chance.below(600);
  }
  return plan;
}

/// How many of the seeds break a promise when a rule is broken.
std::size_t found(rule broken, simulation::host_id who, std::uint64_t seeds) {
  run_options run;
  run.rules.break_rule(broken);
  sim_store store;
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= seeds && found == 0; ++seed) {
    const auto report = run_seed(with_deaths(seed, who, seed % 2 == 0), run, store);
    if (!report.violation.empty() || report.job_failed) ++found;
  }
  return found;
}

} // namespace

TEST_CASE("a job is done whenever its coordinator dies, and however often") {
  sim_store store;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const auto plan = with_deaths(seed, 0, seed % 2 == 0);
    INFO("seed " << seed << ": " << describe(plan));
    const auto report = run_seed(plan, {}, store);
    CHECK(report.violation == "");
    CHECK_FALSE(report.job_failed);
  }
}

TEST_CASE("while their coordinator is away shards refuse nothing, only when it is back") {
  seed_options options;
  for (const auto& f : all_faults())
    options.faults.push_back(f.kind);
  sim_store store;
  bool away = false;
  std::size_t deaths = 0, refused_away = 0, refused = 0;
  const auto look = [&](const std::string& line) {
    const auto says = [&](const char* what) { return line.find(what) != std::string::npos; };
    const bool dies = says(" coordinator: dies") || says(" coordinator: loses its power");
    if (dies) ++deaths;
    if (dies || says(" coordinator: starts")) away = dies;
    if (says(" server-") && says(": -> worker-") && says(": Refusal #"))
      ++(away ? refused_away : refused);
  };
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    auto plan = plan_of(seed, options);
    if (plan.checkpoints) continue; // jobs that are cancelled, and forgotten by their shards
    env::random_stream chance(seed ^ 0xc3);
    plan.faults.push_back({.kind = fault_kind::crash,
                           .at = 1ms * (20 + chance.below(400)),
                           .lasts = 1ms * (100 + chance.below(400)),
                           .a = 0});
    (void)run_seed(plan, {.trace = look}, store);
  }
  CHECK(deaths > 40);
  CHECK(refused_away == 0);
  CHECK(refused > 0); // fenced by layouts that the coordinator gives out
}

TEST_CASE("a coordinator that breaks a rule of its log is found out") {
  CHECK(found(rule::log_first, 0, 3000) == 1);
  CHECK(found(rule::log_synced, 0, 500) == 1);
  CHECK(found(rule::incarnation_raised, 0, 500) == 1);
}

TEST_CASE("a job is done when the coordinator's disk fails, and its node ends itself") {
  sim_store store;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    auto plan = plan_of(seed, {});
    env::random_stream chance(seed);
    plan.faults.push_back({.kind = seed % 2 == 0 ? fault_kind::sync : fault_kind::disk_full,
                           .at = 1ms * chance.below(250),
                           .lasts = 1ms * (100 + chance.below(400)),
                           .a = 0});
    INFO("seed " << seed << ": " << describe(plan));
    const auto report = run_seed(plan, {}, store);
    CHECK(report.violation == "");
    CHECK_FALSE(report.job_failed);
  }
}

namespace {

/// A job whose coordinator loses its power in the middle of a step of its disk.
struct stopped_run {
  stopped_run(std::uint64_t seed, std::uint64_t stop_after) {
    seed_mesh m(
        plan_of(seed, {.sizes = {.servers = 2, .workers = 2, .data_servers = 1}, .faults = {}}));
    counted = m.plan.data == data_kind::counted;
    m.mesh.wire().on_delivery = [&](const simulation::delivery& d) { watch.see(d); };
    patient_client job(m.mesh, *m.client, m.plan.job, {2, 2, 1});
    REQUIRE(m.mesh.run_until([&] { return job.accepted(); }, 60s));
    auto& disk = *m.disks[0];
    const auto before = disk.steps();
    if (stop_after > 0) {
      disk.stop_after(stop_after - 1);
      (void)m.mesh.run_until([&] { return disk.stopped() || job.ended(); }, 60s);
      if (disk.stopped()) {
        m.mesh.crash(0, true);
        m.mesh.restart(0);
      }
    }
    ended = m.mesh.run_until([&] { return job.ended(); }, 120s);
    outcome = m.client->outcome();
    disk_steps = disk.steps() - before;
  }

  wire_watch watch;
  std::uint64_t disk_steps = 0; // since the job was accepted
  bool counted = false;
  bool ended = false;
  simulation::job_outcome outcome;
};

} // namespace

TEST_CASE("a job is done wherever in writing its log the coordinator loses its power") {
  for (const std::uint64_t seed : {3, 8, 14, 25}) {
    const stopped_run undisturbed(seed, 0);
    REQUIRE(undisturbed.outcome.phase == schema::JobPhase::DONE);
    const auto steps = undisturbed.disk_steps;
    CHECK(steps >= 6);
    for (std::uint64_t stop = 1; stop <= steps; ++stop) {
      INFO("seed " << seed << ", step " << stop << " of " << steps);
      const stopped_run run(seed, stop);
      CHECK(run.ended);
      CHECK_MESSAGE(run.outcome.phase == schema::JobPhase::DONE, run.outcome.text);
      CHECK(run.watch.violation() == "");
      if (!undisturbed.counted)
        CHECK(run.outcome.parameters_sha256 == undisturbed.outcome.parameters_sha256);
    }
  }
}
