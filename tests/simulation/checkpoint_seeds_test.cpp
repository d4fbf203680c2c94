/// Seeds of checkpoints: jobs go back to them, and on from them, whatever dies.

#include "tools/sim/checkpoint_faults.hpp"
#include "tools/sim/seed_run.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace gradmesh;
using namespace gradmesh::tools::sim;
using namespace std::chrono_literals;

namespace {

const mesh_sizes sizes{.servers = 2, .workers = 2, .data_servers = 1};
constexpr simulation::host_id coordinator = 0, first_server = 1, second_server = 2;

/// The plans of so many seeds of checkpoints, without faults; checkpoints are asked for. `slow`: of
/// jobs that take seconds.
std::vector<seed_plan> undisturbed_plans(std::size_t count, bool slow = false) {
  std::vector<seed_plan> plans;
  for (std::uint64_t seed = 1; plans.size() < count; ++seed) {
    auto plan = plan_of(seed, {.sizes = sizes, .faults = {}});
    if (!plan.checkpoints || plan.checkpoints->cancels_at || (plan.length.pace > 1) != slow)
      continue;
    plan.checkpoints->asked_every = 10ms;
    plans.push_back(std::move(plan));
  }
  return plans;
}

} // namespace

TEST_CASE("a job without a coordinator and servers goes back to what an earlier life wrote") {
  sim_store store;
  for (const auto kind : {fault_kind::crash, fault_kind::power})
    for (auto plan : undisturbed_plans(25)) {
      plan.faults = {{.kind = fault_kind::crash, .at = 120ms, .lasts = 50ms, .a = coordinator},
                     {.kind = kind, .at = 125ms, .lasts = 300ms, .a = first_server},
                     {.kind = kind, .at = 130ms, .lasts = 300ms, .a = second_server}};
      INFO("seed " << plan.seed << ": " << describe(plan));
      const auto report = run_seed(plan, {}, store);
      CHECK(report.violation == "");
      CHECK_FALSE(report.job_failed);
    }
}

TEST_CASE("checkpoints are made after the coordinator's clock has begun anew") {
  sim_store store;
  for (auto plan : undisturbed_plans(10, true)) {
    plan.faults = {{.kind = fault_kind::power, .at = 1500ms, .lasts = 20ms, .a = coordinator}};
    INFO("seed " << plan.seed << ": " << describe(plan));
    bool dark = false;
    std::optional<double> goes_on, made; // seconds
    const auto see = [&](const std::string& line) {
      const auto says = [&](const char* what) { return line.find(what) != line.npos; };
      dark = dark || says("coordinator: loses its power");
      if (dark && !goes_on && says("goes on: the coordinator was restarted"))
        goes_on = std::stod(line);
      if (goes_on && !made && (says("coordinator: checkpoint ") || says("client: phase")))
        made = std::stod(line); // or the job has ended
    };
    const auto report = run_seed(plan, {.trace = see}, store);
    CHECK(report.violation == "");
    REQUIRE(dark);
    if (goes_on) CHECK(made.value_or(1e9) < *goes_on + 0.8);
  }
}

TEST_CASE("a seed of checkpoints has faults of its kinds only, also in its later job") {
  const seed_options options{.sizes = {}, .faults = {fault_kind::power, fault_kind::flip}};
  std::size_t of_checkpoints = 0, flips = 0, later = 0, cancels = 0, single = 0, intervals = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const auto plan = plan_of(seed, options);
    if (!plan.checkpoints) {
      CHECK_FALSE(may_damage_checkpoints(plan));
      continue;
    }
    ++of_checkpoints;
    flips += may_damage_checkpoints(plan);
    cancels += plan.checkpoints->cancels_at.has_value();
    single += plan.copies == 1;
    intervals += plan.checkpoints->by_interval;
    later += !plan.checkpoints->later_faults.empty();
    for (const auto& f : plan.faults)
      CHECK((f.kind == fault_kind::power || f.kind == fault_kind::flip));
    for (const auto& f : plan.checkpoints->later_faults)
      CHECK(f.kind == fault_kind::power);
  }
  for (const auto count : {of_checkpoints, flips, later, cancels, single, intervals})
    CHECK(count > 5);
}
