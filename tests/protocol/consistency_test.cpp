/// When a shard lets a worker read, and what it applies, under each strategy; and that each of
/// these rules, broken, is noticed here.

#include "tests/support/shard_bench.hpp"

using namespace gradmesh;
using testing::shard_bench;
using strategy = config::strategy;

namespace {

rule_set without(rule broken) {
  rule_set rules;
  rules.break_rule(broken);
  return rules;
}

shard_bench ssp(std::uint32_t staleness, std::size_t workers, const rule_set& rules = {}) {
  return shard_bench(
      strategy::ssp, workers, config::value_format::float32,
      [&](config::job_section& job) { job.staleness = staleness; }, rules);
}

shard_bench delayed(std::uint32_t delay, std::size_t workers, const rule_set& rules = {}) {
  return shard_bench(
      strategy::bounded_delay, workers, config::value_format::float32,
      [&](config::job_section& job) { job.delay = delay; }, rules);
}

shard_bench with_backups(std::uint32_t backups, std::size_t workers, const rule_set& rules = {}) {
  return shard_bench(
      strategy::bsp, workers, config::value_format::float32,
      [&](config::job_section& job) { job.backup_workers = backups; }, rules);
}

} // namespace

TEST_CASE("under ssp a worker reads until it is more than the staleness ahead of the slowest") {
  auto bench = ssp(2, 2);
  for (std::uint64_t step = 0; step < 3; ++step)
    REQUIRE(bench.push({.rank = 0, .sequence = step}));
  CHECK(bench.may_read(0, 2));
  CHECK_FALSE(bench.may_read(0, 3)); // rank 1 has completed nothing: 0 < 3 - 2
  CHECK(bench.shard->waiting_pulls() == 1);
  REQUIRE(bench.push({.rank = 1, .sequence = 0}));
  CHECK(bench.shard->waiting_pulls() == 0);
  CHECK(bench.may_read(1, 1));
}

TEST_CASE("under ssp a worker does not read before its own pushes are applied") {
  auto bench = ssp(5, 2);
  CHECK_FALSE(bench.may_read(0, 1));
  REQUIRE(bench.push_part(0, {.rank = 0}));
  CHECK(bench.shard->waiting_pulls() == 1);
  REQUIRE(bench.push_part(1, {.rank = 0}));
  CHECK(bench.shard->waiting_pulls() == 0);
}

TEST_CASE("under ssp a worker that adds its own pushes reads before they are applied") {
  auto bench = ssp(1, 2);
  CHECK(bench.read_ahead(0, 0) == 0); // nothing is missing
  CHECK(bench.read_ahead(0, 1) == 1); // its step 0 is
  REQUIRE(bench.push({.rank = 0, .sequence = 0}));
  CHECK(bench.read_ahead(0, 1) == 0);
  REQUIRE(bench.push({.rank = 1, .sequence = 0}));
  CHECK(bench.read_ahead(0, 2) == 2);
}

TEST_CASE("a worker that reads ahead is held by the others as before") {
  auto bench = ssp(1, 2);
  CHECK(bench.read_ahead(0, 2) == std::nullopt); // rank 1 has completed nothing: 0 < 2 - 1
  REQUIRE(bench.push({.rank = 0, .sequence = 0}));
  CHECK(bench.answers.size() == 1); // the acknowledgement
  CHECK(bench.shard->waiting_pulls() == 1);
  bench.answers.clear();
  REQUIRE(bench.push({.rank = 1, .sequence = 0}));
  CHECK(bench.shard->waiting_pulls() == 0);
  bench.answers.pop_front(); // the acknowledgement
  CHECK(bench.own_missing() == 2);
}

TEST_CASE("one worker alone reads ahead of any number of its own pushes") {
  auto bench = ssp(1, 1);
  CHECK(bench.read_ahead(0, 9) == 1);
}

TEST_CASE("a worker that reads ahead sees its own pushes whole or not at all") {
  auto bench = ssp(5, 2);
  REQUIRE(bench.push_part(0, {.rank = 0, .sequence = 0}));
  CHECK(bench.read_ahead(0, 1) == std::nullopt);
  CHECK(bench.read_ahead(1, 1) == 1); // another's part is no matter
  // The next push overtakes the rest of the first.
  REQUIRE(bench.push({.rank = 0, .sequence = 1}));
  CHECK(bench.shard->waiting_pulls() == 1);
  bench.answers.clear();
  REQUIRE(bench.push_part(1, {.rank = 0, .sequence = 0}));
  CHECK(bench.shard->waiting_pulls() == 0);
  bench.answers.pop_front(); // the acknowledgement
  CHECK(bench.own_missing() == 0);
  CHECK(bench.read_ahead(0, 3) == 3); // two are there
}

TEST_CASE("a worker cannot add its own pushes where the shard keeps state, or sums them") {
  for (const auto* optimizer :
       {"type = momentum\nlearning_rate = 1\n", "type = sgd\nstaleness_scaling = inverse\n"}) {
    shard_bench bench(strategy::ssp, 2, config::value_format::float32, {}, {}, optimizer);
    CHECK(bench.pull(0, {5}, 1, 0, 1, true).failure().code == errc::refused);
  }
  auto none = ssp(0, 2);
  CHECK(none.pull(0, {5}, 1, 0, 1, true).failure().code == errc::refused);
  for (const auto s : {strategy::bsp, strategy::bounded_delay, strategy::async}) {
    shard_bench bench(s, 2);
    CHECK(bench.pull(0, {5}, 1, 0, 1, true).failure().code == errc::refused);
  }
}

TEST_CASE("under ssp a push is applied when it comes, with the rate over the workers") {
  auto bench = ssp(1, 4);
  REQUIRE(bench.push({.rank = 2}));
  CHECK(bench.values() == std::vector<float>{-0.25F, -0.25F, -0.5F, -0.5F});
}

TEST_CASE("ssp with staleness 0 sums steps as bsp does") {
  auto bench = ssp(0, 2);
  REQUIRE(bench.push({.rank = 1}));
  CHECK(bench.values() == std::vector<float>{0, 0, 0, 0});
  CHECK_FALSE(bench.may_read(1, 1));
  REQUIRE(bench.push({.rank = 0}));
  CHECK(bench.values() == std::vector<float>{-2, -2, -4, -4});
}

TEST_CASE("under bounded delay a task reads when all but the last few before it are applied") {
  auto bench = delayed(1, 2);
  CHECK(bench.may_read(0, 0));       // task 0
  CHECK(bench.may_read(1, 0));       // task 1: task 0 may be missing
  CHECK_FALSE(bench.may_read(0, 1)); // task 2 needs task 0
  REQUIRE(bench.push({.rank = 1, .sequence = 0}));
  CHECK(bench.shard->waiting_pulls() == 1); // task 1 is not task 0
  REQUIRE(bench.push({.rank = 0, .sequence = 0}));
  CHECK(bench.shard->waiting_pulls() == 0);
  CHECK(bench.may_read(1, 1)); // task 3 needs tasks 0 and 1
}

TEST_CASE("bounded delay without delay is sequential") {
  auto bench = delayed(0, 2);
  CHECK(bench.may_read(0, 0));
  CHECK_FALSE(bench.may_read(1, 0));
  REQUIRE(bench.push({.rank = 0}));
  CHECK(bench.shard->waiting_pulls() == 0);
  CHECK_FALSE(bench.may_read(0, 1));
}

TEST_CASE("with a backup worker a step is applied without the last push, which is dropped") {
  auto bench = with_backups(1, 3);
  REQUIRE(bench.push({.rank = 2}));
  REQUIRE(bench.push_part(0, {.rank = 1})); // not whole
  CHECK(bench.shard->clock() == 0);
  REQUIRE(bench.push({.rank = 0}));
  CHECK(bench.shard->clock() == 1);
  CHECK(bench.shard->counters().dropped_pushes == 1);
  const auto after_two = std::vector<float>{-2, -2, -4, -4};
  CHECK(bench.values() == after_two);
  bench.answers.clear();
  REQUIRE(bench.push_part(1, {.rank = 1}));
  CHECK(bench.answers.size() == 1); // acknowledged
  CHECK(bench.shard->counters().late_parts == 1);
  CHECK(bench.values() == after_two);
  CHECK(bench.may_read(1, 1));
}

TEST_CASE("a step, task or push that the job does not have is refused") {
  for (const auto s : {strategy::bsp, strategy::ssp, strategy::bounded_delay}) {
    shard_bench bench(s, 2);
    CHECK(bench.pull(10, {5}, 1).failure().code == errc::refused); // the job has 10 steps
    CHECK(bench.push({.sequence = 10}).failure().code == errc::refused);
    CHECK(bench.shard->waiting_pulls() == 0);
  }
}

TEST_CASE("a push that claims to have read the future is refused") {
  for (const auto s : {strategy::ssp, strategy::bounded_delay, strategy::async}) {
    shard_bench bench(s, 2);
    const auto pushed = bench.push({.read_clock = 1});
    CHECK_FALSE(pushed);
    CHECK(bench.shard->counters().refused == 1);
    CHECK(bench.values() == std::vector<float>{0, 0, 0, 0});
  }
}

TEST_CASE("a broken rule lets happen what it forbids") {
  SUBCASE("a step is applied before it is complete") {
    shard_bench bench(strategy::bsp, 2, config::value_format::float32, {},
                      without(rule::step_complete));
    REQUIRE(bench.push({.rank = 0}));
    CHECK(bench.shard->clock() == 1);
  }
  SUBCASE("a read comes a step too early") {
    shard_bench bench(strategy::bsp, 2, config::value_format::float32, {},
                      without(rule::read_waits));
    CHECK(bench.may_read(0, 1));
    CHECK_FALSE(bench.may_read(0, 2));
  }
  SUBCASE("a step's sum begins with the last rank") {
    const auto value = [](const rule_set& rules) {
      shard_bench bench(strategy::bsp, 3, config::value_format::float32, {}, rules);
      const float addends[] = {1e8F, -1e8F, 1};
      for (std::uint32_t rank = 0; rank < 3; ++rank)
        REQUIRE(bench.push({.rank = rank, .values = {addends[rank], 0, 0, 0}}));
      return bench.values()[0];
    };
    CHECK(value({}) != value(without(rule::rank_order)));
  }
  SUBCASE("a late push is applied") {
    auto bench = with_backups(1, 2, without(rule::late_dropped));
    REQUIRE(bench.push({.rank = 0}));
    REQUIRE(bench.push({.rank = 1}));
    CHECK(bench.values() == std::vector<float>{-2, -2, -4, -4});
  }
  SUBCASE("a worker is a clock further ahead") {
    auto bench = ssp(1, 2, without(rule::staleness_bound));
    REQUIRE(bench.push({.sequence = 0}));
    REQUIRE(bench.push({.sequence = 1}));
    CHECK(bench.may_read(0, 2));
  }
  SUBCASE("a worker does not see its own writes") {
    auto bench = ssp(3, 2, without(rule::read_my_writes));
    CHECK(bench.may_read(0, 1));
  }
  SUBCASE("a task begins too early") {
    auto bench = delayed(0, 2, without(rule::delay_bound));
    CHECK(bench.may_read(1, 0));
  }
  SUBCASE("a push is applied twice") {
    for (const auto s : {strategy::bsp, strategy::ssp, strategy::async}) {
      shard_bench bench(s, 1, config::value_format::float32, {}, without(rule::push_once));
      REQUIRE(bench.push({}));
      REQUIRE(bench.push({}));
      CHECK(bench.values() == std::vector<float>{-2, -2, -4, -4});
    }
  }
}
