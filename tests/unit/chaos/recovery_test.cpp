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
