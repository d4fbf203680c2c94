/// How fast the chunks of a checkpoint may come.

#include "actors/coordinator/chunk_pace.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace std::chrono_literals;
using coordinator::chunk_pace;

namespace {

constexpr std::uint64_t chunk = 1u << 20;
constexpr std::uint64_t rate = 25'000'000;

/// Bytes of chunks that come within a time; looked at every so often.
std::uint64_t bytes_within(chunk_pace& pace, env::time_point from, std::chrono::milliseconds time,
                           std::chrono::milliseconds every) {
  std::uint64_t bytes = 0;
  for (auto now = from; now < from + time; now += every)
    for (; pace.allows(now); bytes += chunk)
      pace.count(chunk, now);
  return bytes;
}

} // namespace

TEST_CASE("a large checkpoint comes at its rate, however seldom one looks") {
  for (const auto every : {1ms, 10ms, 50ms}) {
    CAPTURE(every.count());
    chunk_pace pace(rate);
    const auto bytes = bytes_within(pace, env::time_point{1h}, 10s, every);
    CHECK(bytes > rate * 10 * 95 / 100);
    CHECK(bytes < rate * 10 * 105 / 100);
  }
}

TEST_CASE("a small checkpoint comes at once, also after a pause") {
  chunk_pace pace(rate);
  for (const auto now : {env::time_point{}, env::time_point{2h}}) {
    for (std::uint64_t bytes = 0; bytes < rate / 11; bytes += 4096) {
      REQUIRE(pace.allows(now));
      pace.count(4096, now);
    }
    pace.count(chunk, now);
    pace.count(chunk, now);
    CHECK_FALSE(pace.allows(now));
  }
}

TEST_CASE("without a rate a checkpoint comes as fast as it is made") {
  chunk_pace pace(0);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(pace.allows(env::time_point{}));
    pace.count(chunk, env::time_point{});
  }
}
