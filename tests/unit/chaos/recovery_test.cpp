#include "tools/chaos/recovery.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::tools::chaos;
using namespace std::chrono_literals;

namespace {

const time_point fault{100s};

std::vector<worker_report> report(std::chrono::milliseconds after, std::uint64_t steps,
                                  std::uint64_t incarnation = 1, const char* worker = "worker-0") {
  return {{worker, incarnation, steps, fault + after}};
}

} // namespace

TEST_CASE("a mesh goes on when a worker does more steps than it can on its own") {
  recovery seen(fault);
  seen.take(report(10ms, 50));
  seen.take(report(110ms, 50 + steps_ahead));
  CHECK_FALSE(seen.seen());
  seen.take(report(210ms, 51 + steps_ahead));
  CHECK(seen.seen() == fault + 210ms);
  seen.take(report(310ms, 90));
  CHECK(seen.seen() == fault + 210ms);
}

TEST_CASE("steps that were reported before the fault prove nothing") {
  recovery seen(fault);
  seen.take(report(-50ms, 10));
  seen.take(report(20ms, 50));
  CHECK_FALSE(seen.seen());
  seen.take(report(120ms, 50));
  CHECK_FALSE(seen.seen());
}

TEST_CASE("a worker that begins again counts from where it begins") {
  for (const std::uint64_t incarnation : {1, 2}) {
    CAPTURE(incarnation);
    recovery seen(fault);
    seen.take(report(10ms, 50));
    seen.take(report(110ms, 20, incarnation));
    CHECK_FALSE(seen.seen());
    seen.take(report(210ms, 21 + steps_ahead, incarnation));
    CHECK(seen.seen() == fault + 210ms);
  }
}

TEST_CASE("a restarted worker with more steps than before has to show its own") {
  recovery seen(fault);
  seen.take(report(10ms, 5));
  seen.take(report(110ms, 80, 2));
  CHECK_FALSE(seen.seen());
}

TEST_CASE("each worker has its own beginning") {
  recovery seen(fault);
  seen.take(report(10ms, 50));
  seen.take(report(20ms, 80, 1, "worker-1"));
  CHECK_FALSE(seen.seen());
  seen.take(report(120ms, 81 + steps_ahead, 1, "worker-1"));
  CHECK(seen.seen());
}

namespace {

answered_push answered(std::chrono::milliseconds sent, std::chrono::milliseconds after) {
  return {fault + sent, fault + after};
}

} // namespace

TEST_CASE(
    "the first push after a fault is the first that was sent after it, at the slowest shard") {
  const std::map<std::uint32_t, shard_pushes> shards{
      {0, {"server-0", {answered(-5ms, 3ms), answered(20ms, 150ms), answered(20ms, 170ms)}, {}}},
      {1, {"server-0", {answered(10ms, 220ms)}, {}}},
      {2, {"server-1", {answered(-1ms, 20ms), answered(30ms, 90ms), answered(220ms, 230ms)}, {}}},
      {3,
       {"server-2",
        {answered(5ms, 110ms)},
        {{fault + 40ms, "retry_later"},
         {fault + 30ms, "retry_later"},
         {fault + 500ms, "stale_layout"}}}}};
  const auto found = judge_pushes(shards, {"server-0", fault, fault + 100ms, fault + 10s});
  CHECK(found.first_push == doctest::Approx(0.220));
  CHECK(found.others_gap == doctest::Approx(0.130)); // of shard 2, from its second to the end
  CHECK(found.others_rate == doctest::Approx(1 / 0.220));
  CHECK(found.acknowledged == 8);
  CHECK(found.acknowledged_meanwhile == 3);
  CHECK(found.refused_meanwhile == 2);
  CHECK(found.refused.at("retry_later").count == 2);
  CHECK(found.refused.at("retry_later").first == doctest::Approx(0.030));
  CHECK(found.refused.at("retry_later").last == doctest::Approx(0.040));
}

TEST_CASE("there is no first push while one of the shards that were hit has acknowledged none") {
  const std::map<std::uint32_t, shard_pushes> shards{
      {0, {"server-0", {answered(20ms, 150ms)}, {}}},
      {1, {"server-0", {answered(-10ms, 30ms)}, {}}}};
  CHECK_FALSE(judge_pushes(shards, {"server-0", fault, fault + 100ms, fault + 10s}).first_push);
  CHECK(judge_pushes(shards, {"server-0", fault, fault + 100ms, fault + 10s}).primary_hit);
  CHECK_FALSE(judge_pushes(shards, {"worker-0", fault, fault + 100ms, fault + 10s}).first_push);
  CHECK_FALSE(judge_pushes(shards, {"worker-0", fault, fault + 100ms, fault + 10s}).primary_hit);
}

TEST_CASE("of shards with no copy on the node that was hit the poorest window counts") {
  const auto every_30ms = [](int acknowledgements) {
    std::vector<answered_push> all;
    for (int i = 0; i < acknowledgements; ++i)
      all.push_back(answered(30ms * i, 30ms * i + 5ms));
    return all;
  };
  std::map<std::uint32_t, shard_pushes> shards{
      {0, {"server-0", {answered(20ms, 220ms)}, {}, "server-1"}},
      {1, {"server-1", every_30ms(10), {}, "server-2"}},
      {2, {"server-2", {answered(20ms, 90ms)}, {}, "server-0"}}}; // waits for its backup
  const auto least = [&](std::chrono::milliseconds watched) {
    return judge_pushes(shards, {"server-0", fault, fault, fault + watched}).apart_least;
  };
  CHECK(least(1s) == 3); // of 4, 3 and 3
  shards.at(1).acknowledged.resize(8);
  CHECK(least(1s) == 1);    // the window with the first push in it counts whole
  CHECK(least(250ms) == 3); // if it was watched
  CHECK_FALSE(least(90ms));
  shards.at(1).acknowledged.resize(4);
  CHECK(least(250ms) == 0);
  shards.at(1).backup = "server-0";
  CHECK_FALSE(least(1s));
}
