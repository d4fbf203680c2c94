/// The learning rate at which a shard applies a push, under each strategy: the schedule's of the
/// push's step, over the workers or over the push's staleness.

#include "tests/support/shard_bench.hpp"

#include <initializer_list>

using namespace gradmesh;
using testing::shard_bench;
using strategy = config::strategy;

namespace {

shard_bench bench_of(strategy s, std::size_t workers, const std::string& optimizer) {
  return shard_bench(
      s, workers, config::value_format::float32,
      [](config::job_section& job) { job.staleness = 5; }, {}, optimizer);
}

/// How far a push moves the bias, whose gradient is 1.
float moved_by(shard_bench& bench, const shard_bench::push_content& push) {
  const auto before = bench.values()[0];
  REQUIRE(bench.push(push));
  return before - bench.values()[0];
}

/// Falls by half in every step.
const std::string halving = "type = sgd\nlearning_rate = 1\nschedule = step\ndecay_steps = 1\n"
                            "decay_factor = 0.5\n";

} // namespace

TEST_CASE("under bsp every step has its rate of the schedule") {
  auto bench = bench_of(strategy::bsp, 2, halving);
  for (const std::uint64_t step : {0U, 1U, 2U, 3U}) {
    REQUIRE(bench.push({.rank = 0, .sequence = step}));
    CHECK(moved_by(bench, {.rank = 1, .sequence = step}) ==
          2 / static_cast<float>(std::uint64_t{1} << step));
  }
}

TEST_CASE("under ssp and bounded delay a push has the rate of its own step, over the workers") {
  for (const auto s : {strategy::ssp, strategy::bounded_delay}) {
    auto bench = bench_of(s, 2, halving);
    CHECK(moved_by(bench, {.rank = 0, .sequence = 0}) == 0.5F);
    CHECK(moved_by(bench, {.rank = 0, .sequence = 1}) == 0.25F);
    CHECK(moved_by(bench, {.rank = 0, .sequence = 2}) == 0.125F);
    CHECK(moved_by(bench, {.rank = 1, .sequence = 0}) == 0.5F);
  }
}

TEST_CASE("under async the pushes applied make the steps of the schedule, one for each piece") {
  auto bench = bench_of(strategy::async, 2, halving);
  CHECK(moved_by(bench, {.rank = 0, .sequence = 0}) == 0.5F);
  CHECK(moved_by(bench, {.rank = 0, .sequence = 1}) == 0.5F);
  CHECK(moved_by(bench, {.rank = 0, .sequence = 2}) == 0.25F);
  CHECK(moved_by(bench, {.rank = 1, .sequence = 0}) == 0.25F);
  CHECK(moved_by(bench, {.rank = 1, .sequence = 1}) == 0.125F);
}

TEST_CASE("staleness scaling divides by the pushes applied since the read, not by the workers") {
  for (const auto s : {strategy::async, strategy::ssp}) {
    auto bench = bench_of(s, 4, "type = sgd\nlearning_rate = 1\nstaleness_scaling = inverse\n");
    CHECK(moved_by(bench, {.rank = 0, .sequence = 0, .read_clock = 0}) == 1);    // fresh
    CHECK(moved_by(bench, {.rank = 1, .sequence = 0, .read_clock = 0}) == 1);    // one later
    CHECK(moved_by(bench, {.rank = 2, .sequence = 0, .read_clock = 0}) == 0.5F); // two later
    CHECK(moved_by(bench, {.rank = 3, .sequence = 0, .read_clock = 1}) == 0.5F);
    CHECK(moved_by(bench, {.rank = 0, .sequence = 1, .read_clock = 0}) == 0.25F);
    CHECK(moved_by(bench, {.rank = 0, .sequence = 2, .read_clock = 5}) == 1);
  }
}

TEST_CASE("staleness scaling and schedule go together") {
  auto bench = bench_of(strategy::async, 2, halving + "staleness_scaling = inverse\n");
  for (const std::uint64_t sequence : {0U, 1U, 2U, 3U})
    REQUIRE(bench.push({.rank = 0, .sequence = sequence}));
  // Step 4 / 2 of the schedule, four pushes after the read.
  CHECK(moved_by(bench, {.rank = 1, .sequence = 0, .read_clock = 0}) == 0.0625F);
}
