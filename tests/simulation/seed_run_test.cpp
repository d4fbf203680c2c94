/// Seeds: the same one gives the same run, and what is wrong with a node is noticed.

#include "tools/sim/fault_driver.hpp"
#include "tools/sim/seed_run.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace gradmesh;
using namespace gradmesh::tools::sim;
using namespace std::chrono_literals;

namespace {

seed_options with_all_faults() {
  seed_options options;
  for (const auto& f : all_faults())
    options.faults.push_back(f.kind);
  return options;
}

/// So that a test shows what it is about; the seeds have more.
seed_plan planned(std::vector<fault> faults) {
  seed_plan plan;
  plan.names = {"coordinator", "server-0", "data-server-0", "worker-0"};
  plan.faults = std::move(faults);
  return plan;
}

} // namespace

TEST_CASE("a seed gives the same trace whatever ran before it") {
  const auto options = with_all_faults();
  sim_store used;
  std::set<std::uint64_t> hashes;
  constexpr std::uint64_t seeds = 60;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO("seed " << seed);
    const auto plan = plan_of(seed, options);
    const auto first = run_seed(plan, {}, used);
    CHECK(first.violation == "");
    sim_store fresh;
    const auto second = run_seed(plan, {}, fresh);
    CHECK(first.hash == second.hash);
    CHECK(first.frames == second.frames);
    hashes.insert(first.hash);
  }
  CHECK(hashes.size() == seeds);
}

TEST_CASE("a read that comes again after a step that went without it is no violation") {
  sim_store store;
  CHECK(run_seed(plan_of(115338, with_all_faults()), {}, store).violation == "");
}

TEST_CASE("a read that comes again, steps after its generation began behind, sees what there is") {
  sim_store store;
  CHECK(run_seed(plan_of(5495, with_all_faults()), {}, store).violation == "");
}

TEST_CASE("a worker that waits too long while its job finds new members does not end it") {
  sim_store store;
  for (const std::uint64_t seed : {10537, 11188})
    CHECK(run_seed(plan_of(seed, with_all_faults()), {}, store).violation == "");
}

TEST_CASE("seeds choose every strategy, data, and fault") {
  const auto options = with_all_faults();
  std::set<std::string> strategies;
  std::set<data_kind> data;
  std::set<fault_kind> faults;
  bool repeats = false, loses = false;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const auto plan = plan_of(seed, options);
    const auto at = plan.job.find("strategy = ");
    strategies.insert(plan.job.substr(at, plan.job.find('\n', at) - at));
    data.insert(plan.data);
    repeats |= plan.wire.repeat_one_in > 0;
    loses |= plan.loses_some;
    for (const auto& f : plan.faults) {
      faults.insert(f.kind);
      if (meets_two(f.kind)) CHECK(f.a != f.b);
      CHECK(std::max(f.a, f.b) < plan.names.size());
    }
  }
  CHECK(strategies.size() == 4);
  CHECK(data.size() == 3);
  CHECK(faults.size() + 1 == all_faults().size()); // repeats are no event
  CHECK(repeats);
  CHECK(loses);
}

TEST_CASE("sizes that are given are kept, and none but the chosen faults happen") {
  const seed_options options{{.servers = 3, .workers = 4, .data_servers = 2}, {fault_kind::hang}};
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto plan = plan_of(seed, options);
    CHECK(plan.node_files.size() == 10);
    for (const auto& f : plan.faults)
      CHECK(f.kind == fault_kind::hang);
  }
}

TEST_CASE("a member is missed when it dies, is silent for too long, or loses its link") {
  const auto hang = [](std::chrono::milliseconds lasts, simulation::host_id who) {
    return planned({{.kind = fault_kind::hang, .lasts = lasts, .a = who, .b = 2}});
  };
  using hosts = std::set<simulation::host_id>;
  CHECK(may_be_missed(planned({})).empty());
  CHECK(may_be_missed(hang(300ms, 3)).empty());
  CHECK(may_be_missed(hang(1500ms, 3)) == hosts{3});
  CHECK(may_be_missed(hang(1500ms, 0)).empty()); // it knows that the silence may be its own
  CHECK(may_be_missed(planned({{.kind = fault_kind::crash, .a = 0, .b = 3}})) == hosts{0});
  CHECK(may_be_missed(planned({{.kind = fault_kind::link, .a = 1, .b = 3}})).empty());
  CHECK(may_be_missed(planned({{.kind = fault_kind::link, .a = 1, .b = 0}})) == hosts{1});
  CHECK(may_be_missed(planned({{.kind = fault_kind::delay, .lasts = 1500ms, .a = 0, .b = 3}}))
            .empty());
}

TEST_CASE("a shard is lost only with all of its copies") {
  auto plan = planned({{.kind = fault_kind::crash, .a = 1, .b = 3}});
  plan.servers = 1;
  CHECK(may_lose_shard(plan));
  plan.servers = 2;
  plan.names = {"coordinator", "server-0", "server-1", "data-server-0", "worker-0"};
  CHECK_FALSE(may_lose_shard(plan));
  plan.faults.push_back({.kind = fault_kind::power, .a = 2, .b = 3});
  CHECK(may_lose_shard(plan));
}

TEST_CASE("nodes that break a rule are found out, whichever it is") {
  const auto options = with_all_faults();
  sim_store store;
  constexpr std::uint64_t seeds_max = 1000;
  // From the first seed on they take so many.
  const std::map<rule, std::uint64_t> rare = {
      {rule::wait_for_layout, 1900}, {rule::no_gap, 1000}, {rule::resend_on_layout, 10300}};
  for (const auto& broken : all_rules()) {
    run_options run;
    run.rules.break_rule(broken.id);
    const auto found = rare.find(broken.id);
    const auto first = found == rare.end() ? 1 : found->second;
    auto seed = first;
    while (seed < first + seeds_max &&
           run_seed(plan_of(seed, options), run, store).violation.empty())
      ++seed;
    CHECK_MESSAGE(seed < first + seeds_max, "not found: " << broken.name);
  }
}
