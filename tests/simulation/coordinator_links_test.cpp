/// The coordinator is cut off from its mesh, for a moment or for longer than silence is taken for:
/// the members are alive, so their job goes on, with the same counts or bits.

#include "tools/sim/seed_run.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace gradmesh;
using namespace gradmesh::tools::sim;

namespace {

/// The same between the coordinator and all other machines but `spared`, three times.
seed_plan with_coordinator_cut_off(std::uint64_t seed, fault_kind kind, std::size_t spared) {
  auto plan = plan_of(seed, {});
  env::random_stream chance(seed ^ 0xc2);
  std::chrono::milliseconds at(chance.below(250));
  for (int i = 0; i < 3; ++i) {
    std::chrono::milliseconds lasts{0};
    if (kind != fault_kind::link)
      lasts = node_timeout + std::chrono::milliseconds(chance.below(2000));
    for (simulation::host_id host = 1; host + spared < plan.names.size(); ++host)
      plan.faults.push_back({.kind = kind, .at = at, .lasts = lasts, .a = 0, .b = host});
    at += lasts + std::chrono::milliseconds(chance.below(600));
  }
  return plan;
}

/// How many nodes were given up.
std::uint64_t check_done(std::uint64_t seeds, fault_kind kind, std::size_t spared) {
  sim_store store;
  std::uint64_t given_up = 0;
  const auto trace = [&](const std::string& line) {
    if (line.find("' is gone: ") != std::string::npos) ++given_up;
  };
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto plan = with_coordinator_cut_off(seed, kind, spared);
    INFO("seed " << seed << ": " << describe(plan));
    const auto report = run_seed(plan, {.trace = trace}, store);
    CHECK(report.violation == "");
    CHECK_FALSE(report.job_failed);
  }
  return given_up;
}

} // namespace

TEST_CASE("when all links of a coordinator break at once nobody is given up") {
  CHECK(check_done(150, fault_kind::link, 0) == 0);
}

TEST_CASE("when most links of a coordinator break at once nobody is given up") {
  CHECK(check_done(100, fault_kind::link, 1) == 0);
}

TEST_CASE("a coordinator that hears nobody for a while gives nobody up") {
  CHECK(check_done(60, fault_kind::partition, 0) == 0);
}

TEST_CASE("a coordinator that nobody hears for a while gives nobody up") {
  CHECK(check_done(60, fault_kind::one_way, 0) == 0);
}

TEST_CASE("a job is done when its coordinator hears a worker but no server for long") {
  CHECK(check_done(100, fault_kind::partition, 1) > 0);
}

TEST_CASE("a job is done when a worker hears its coordinator, but no server does") {
  CHECK(check_done(100, fault_kind::one_way, 1) > 0);
}
