/// Each rule on which replication stands: what it forbids does not happen, and happens when the
/// rule is broken.

#include "tests/support/replica_bench.hpp"

using namespace gradmesh;
using testing::replica_bench;
using strategy = config::strategy;
using push = testing::replica_bench::push_content;

namespace {

constexpr testing::test_links::link primary_to_backup{1, 2};

rule_set without(rule broken) {
  rule_set rules;
  rules.break_rule(broken);
  return rules;
}

/// Delivers what is not between the two hosts.
void run_but_replication(replica_bench& bench) {
  for (bool some = true; some;) {
    some = false;
    for (auto& [link, frames] : bench.links.waiting)
      if (link != primary_to_backup)
        while (bench.links.deliver(link))
          some = true;
  }
}

bool old_layout_is_served(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, 2);
  bench.publish(1, 2, true);
  bench.run();
  const push late{.step = 0};
  bench.push(late, 1);
  bench.run();
  return bench.is_acknowledged(late);
}

bool acknowledged_before_backup(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, 2);
  bench.push({.step = 0});
  run_but_replication(bench);
  return !bench.acknowledged.empty();
}

bool acknowledged_without_backup(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, 2);
  bench.kill(2);
  bench.push({.step = 0});
  bench.run();
  return !bench.acknowledged.empty();
}

bool incomplete_is_promoted() {
  replica_bench bench(strategy::async, 1, {});
  bench.begin(1, std::nullopt);
  bench.push({.step = 0});
  bench.run();
  bench.publish(1, 2);
  bench.links.deliver({replica_bench::coordinator_node, 2});
  bench.links.deliver({replica_bench::coordinator_node, 1});
  REQUIRE(bench.links.deliver(primary_to_backup));
  bench.kill(1);
  bench.publish(2, std::nullopt);
  bench.run();
  return bench.replica_of(2)->is_primary();
}

bool old_content_stays() {
  replica_bench bench(strategy::async, 1, {});
  bench.begin(1, 2);
  bench.push({.step = 0, .key = 7}); // the backup never hears of it
  run_but_replication(bench);
  bench.links.waiting[primary_to_backup].clear();
  bench.publish(2, 1);
  bench.run();
  REQUIRE(bench.backup_is_synced());
  return bench.image(1) != bench.image(2);
}

bool second_snapshot_is_taken(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, std::nullopt);
  bench.push({.step = 0, .key = 7});
  bench.run();
  bench.publish(1, 2);
  while (bench.links.deliver({replica_bench::coordinator_node, 2})) {
  }
  while (bench.links.deliver({replica_bench::coordinator_node, 1})) {
  }
  const auto chunks = bench.links.waiting[primary_to_backup];
  REQUIRE(chunks.size() >= 2);
  bench.run();
  bench.push({.step = 1, .key = 9});
  bench.run();
  REQUIRE(bench.image(1) == bench.image(2));
  bench.links.waiting[primary_to_backup] = chunks;
  bench.run();
  return bench.image(1) != bench.image(2);
}

bool tail_is_lost(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, std::nullopt);
  bench.publish(1, 2);
  bench.links.deliver({replica_bench::coordinator_node, 2});
  bench.links.deliver({replica_bench::coordinator_node, 1});
  REQUIRE(bench.links.deliver(primary_to_backup));
  bench.push({.step = 0, .key = 7});
  REQUIRE(bench.links.deliver({replica_bench::worker_node, 1})); // before all chunks are in
  bench.run();
  REQUIRE(bench.backup_is_synced());
  return bench.image(1) != bench.image(2);
}

bool change_is_not_sent_again(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, 2);
  bench.push({.step = 0, .key = 7});
  run_but_replication(bench);
  bench.links.waiting[primary_to_backup].clear(); // the link broke
  bench.publish(1, 2, true);
  bench.run();
  return bench.acknowledged.empty();
}

bool gap_is_taken(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, 2);
  bench.push({.step = 0, .key = 7});
  run_but_replication(bench);
  auto& frames = bench.links.waiting[primary_to_backup];
  REQUIRE(frames.size() == 2); // the block, and the row
  frames.pop_front();
  bench.links.deliver(primary_to_backup);
  return bench.row(2, 7).has_value();
}

bool push_joins_what_was_sent(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, 2);
  const push late{.step = 1, .key = 9};
  bench.push({.step = 0, .key = 7});
  REQUIRE(bench.links.deliver({replica_bench::worker_node, 1}));
  bench.push(late);
  bench.run();
  REQUIRE(bench.is_acknowledged(late));
  return bench.image(1) != bench.image(2);
}

bool image_forgets_pushes(const rule_set& rules) {
  replica_bench bench(strategy::async, 1, rules);
  bench.begin(1, std::nullopt);
  bench.push({.step = 0, .key = 7});
  bench.run();
  bench.publish(1, 2);
  bench.run();
  REQUIRE(bench.backup_is_synced());
  bench.publish(1, 2, true);
  bench.run();
  bench.kill(1);
  bench.publish(2, std::nullopt);
  bench.run();
  bench.push({.step = 0, .key = 7}); // the worker was not told
  bench.run();
  return bench.row(2, 7) != 1.0F;
}

bool former_step_is_lost(const rule_set& rules) {
  replica_bench bench(strategy::bsp, 1, rules);
  bench.begin(1, std::nullopt);
  bench.push({.step = 0, .key = 7});
  bench.run();
  bench.regroup(0, 1, std::nullopt);
  bench.pull(0, 7); // by who does the step again
  bench.run();
  REQUIRE(bench.pulled.size() == 4);
  return bench.pulled != std::vector<float>(4, 0) || bench.pulled_clock != 0U;
}

} // namespace

TEST_CASE("replication keeps each of its rules, and a broken one is noticed") {
  const std::pair<rule, bool (*)(const rule_set&)> violations[] = {
      {rule::fencing, old_layout_is_served},
      {rule::ack_after_backup, acknowledged_before_backup},
      {rule::wait_for_layout, acknowledged_without_backup},
      {rule::one_snapshot, second_snapshot_is_taken},
      {rule::tail_follows, tail_is_lost},
      {rule::resend_on_layout, change_is_not_sent_again},
      {rule::no_gap, gap_is_taken},
      {rule::sent_stays, push_joins_what_was_sent},
      {rule::ledger_in_image, image_forgets_pushes},
      {rule::two_versions, former_step_is_lost},
  };
  for (const auto& [broken, happens] : violations) {
    CAPTURE(to_string(broken));
    CHECK_FALSE(happens({}));
    CHECK(happens(without(broken)));
  }
}

TEST_CASE("a host does not become what only a mistaken layout would make it") {
  CHECK_FALSE(incomplete_is_promoted());
  CHECK_FALSE(old_content_stays());
}
