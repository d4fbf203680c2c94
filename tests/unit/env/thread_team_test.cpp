#include "actors/env/thread_team.hpp"

#include <doctest/doctest.h>

#include <array>
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

void run(env::thread_team& team, env::stage stage) {
  team.run(std::array{std::move(stage)});
}

/// By a clock and not by sleeping.
void run_for(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
}

} // namespace

TEST_CASE("each piece is done once, and those of a stage when all before it are done") {
  for (const unsigned size : {1u, 2u, 5u})
    for (const auto& team :
         {made(env::make_thread_team(size)), made(env::make_sequential_team(size))}) {
      CAPTURE(size);
      CHECK(team->size() == size);
      // Plain ints: ThreadSanitizer sees it if a stage or a caller does not wait for a piece.
      constexpr std::uint32_t pieces = 37;
      std::vector<int> first(pieces, 0);
      std::vector<int> second(pieces, 0);
      for (int round = 1; round <= 300; ++round) {
        const std::array<env::stage, 3> stages{
            {{pieces, [&](unsigned, std::uint32_t piece) { ++first[piece]; }},
             {0, [](unsigned, std::uint32_t) { FAIL("there is no piece"); }},
             {pieces,
              [&](unsigned, std::uint32_t piece) { second[piece] += first[pieces - 1 - piece]; }}}};
        team->run(stages);
        REQUIRE(first == std::vector<int>(pieces, round));
        REQUIRE(second == std::vector<int>(pieces, round * (round + 1) / 2));
      }
    }
}

TEST_CASE("the threads of a team work side by side, the first of them the caller") {
  const auto team = made(env::make_thread_team(3));
  std::vector<std::thread::id> ids(3);
  std::atomic<unsigned> here{0};
  run(*team, {3, [&](unsigned thread, std::uint32_t) {
                ids[thread] = std::this_thread::get_id();
                // Nobody gets past this before all have come.
                ++here;
                while (here.load() < 3)
                  std::this_thread::yield();
              }});
  CHECK(ids[0] == std::this_thread::get_id());
  CHECK(ids[1] != ids[0]);
  CHECK(ids[2] != ids[0]);
  CHECK(ids[1] != ids[2]);
}

TEST_CASE("no stage begins before the last piece of the one before is done") {
  const auto team = made(env::make_thread_team(2));
  std::atomic<bool> begun{false};
  bool ended = false;
  bool seen = false;
  const std::array<env::stage, 2> stages{{{2,
                                           [&](unsigned thread, std::uint32_t) {
                                             if (thread == 0) {
                                               while (!begun.load())
                                                 std::this_thread::yield();
                                               return;
                                             }
                                             begun = true;
                                             run_for(std::chrono::milliseconds(2));
                                             ended = true;
                                           }},
                                          {1, [&](unsigned, std::uint32_t) { seen = ended; }}}};
  team->run(stages);
  CHECK(seen);
}

TEST_CASE("a thread that is done with its share helps with those of others") {
  const auto team = made(env::make_thread_team(2));
  std::atomic<unsigned> done{0};
  std::vector<unsigned> by(8, 2);
  run(*team, {8, [&](unsigned thread, std::uint32_t piece) {
                by[piece] = thread;
                ++done;
                // Whoever is here stays until the other has done all the rest.
                while (piece == 0 && done.load() < 8)
                  std::this_thread::yield();
              }});
  const auto held = by[0];
  for (std::uint32_t piece = 1; piece < 4; ++piece)
    CHECK(by[piece] != held);
}

TEST_CASE("a sequential team goes through each thread's share in its name") {
  const auto team = made(env::make_sequential_team(3));
  std::vector<std::pair<unsigned, std::uint32_t>> order;
  run(*team, {5, [&](unsigned thread, std::uint32_t piece) { order.emplace_back(thread, piece); }});
  CHECK(order ==
        std::vector<std::pair<unsigned, std::uint32_t>>{{0, 0}, {1, 1}, {1, 2}, {2, 3}, {2, 4}});
}

TEST_CASE("a team that was roused works as before, whether its work comes or not") {
  for (const auto& team : {made(env::make_thread_team(2)), made(env::make_sequential_team(2))})
    for (int round = 0; round < 20; ++round) {
      team->rouse();
      if (round % 4 == 1) run_for(std::chrono::milliseconds(3)); // longer than it looks out
      if (round % 4 == 2) continue;
      // Another thread may say so at any time.
      std::thread other([&] { team->rouse(); });
      std::vector<int> done(9, 0);
      run(*team, {9, [&](unsigned, std::uint32_t piece) { ++done[piece]; }});
      CHECK(done == std::vector<int>(9, 1));
      other.join();
    }
}

TEST_CASE("a team that slept between rounds wakes for the next") {
  const auto team = made(env::make_thread_team(2));
  for (int round = 0; round < 5; ++round) {
    run_for(std::chrono::milliseconds(2)); // longer than the team spins
    std::atomic<unsigned> here{0};
    run(*team, {2, [&](unsigned, std::uint32_t) {
                  ++here;
                  while (here.load() < 2)
                    std::this_thread::yield();
                }});
    CHECK(here.load() == 2);
  }
}
