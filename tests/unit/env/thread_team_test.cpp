#include "actors/env/thread_team.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace gradmesh;

namespace {

std::unique_ptr<env::thread_team> made(result<std::unique_ptr<env::thread_team>> team) {
  REQUIRE(team);
  return std::move(*team);
}

} // namespace

TEST_CASE("each part runs once in a round, and the round ends with the last of them") {
  for (const unsigned size : {1u, 2u, 5u}) {
    CAPTURE(size);
    for (const auto& team :
         {made(env::make_thread_team(size)), made(env::make_sequential_team(size))}) {
      CHECK(team->size() == size);
      // Plain ints: ThreadSanitizer sees it if a round does not wait for its parts.
      std::vector<int> calls(size, 0);
      constexpr int rounds = 300;
      for (int round = 0; round < rounds; ++round) {
        team->run([&](unsigned part) { ++calls[(part + static_cast<unsigned>(round)) % size]; });
        int sum = 0;
        for (const auto count : calls)
          sum += count;
        REQUIRE(sum == (round + 1) * static_cast<int>(size));
      }
      CHECK(calls == std::vector<int>(size, rounds));
    }
  }
}

TEST_CASE("the parts of a team run side by side, the first on the caller's thread") {
  const auto team = made(env::make_thread_team(3));
  std::vector<std::thread::id> ids(3);
  std::atomic<unsigned> here{0};
  team->run([&](unsigned part) {
    ids[part] = std::this_thread::get_id();
    // Nobody gets past this before all have come.
    ++here;
    while (here.load() < 3)
      std::this_thread::yield();
  });
  CHECK(ids[0] == std::this_thread::get_id());
  CHECK(ids[1] != ids[0]);
  CHECK(ids[2] != ids[0]);
  CHECK(ids[1] != ids[2]);
}

TEST_CASE("a sequential team runs part after part on the caller's thread") {
  const auto team = made(env::make_sequential_team(3));
  std::vector<unsigned> order;
  team->run([&](unsigned part) { order.push_back(part); });
  CHECK(order == std::vector<unsigned>{0, 1, 2});
}

TEST_CASE("a team that slept between rounds wakes for the next") {
  const auto team = made(env::make_thread_team(2));
  for (int round = 0; round < 5; ++round) {
    // Longer than the team spins, by a clock and not by sleeping.
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    while (std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    unsigned sum = 0;
    std::vector<unsigned> parts(2);
    team->run([&](unsigned part) { parts[part] = part + 1; });
    sum = parts[0] + parts[1];
    CHECK(sum == 3);
  }
}
