/// Which batches workers get.

#include "actors/data_server/lease_book.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace gradmesh;
using data_server::lease_book;
using data_server::pass;

namespace {

job::job_plan plan_of(config::strategy strategy, std::size_t workers, std::uint32_t pieces) {
  job::job_plan plan;
  plan.config.job.strategy = strategy;
  plan.config.job.staleness = 3;
  plan.config.job.batch_size = 12;
  plan.config.job.seed = 5;
  plan.examples = 30;
  plan.steps_per_epoch = 3;
  plan.steps = 6;
  plan.pieces = pieces;
  plan.workers.resize(workers);
  plan.data_servers.resize(1);
  return plan;
}

/// How often each piece is handed out to all workers together.
std::map<std::uint64_t, int> all_pieces(const job::job_plan& plan) {
  std::map<std::uint64_t, int> count;
  lease_book book(plan, 0, pass::train, plan.examples);
  for (std::uint32_t rank = 0; rank < plan.workers.size(); ++rank)
    for (std::uint64_t sequence = 0;; ++sequence) {
      const auto leased = book.lease(rank, sequence);
      REQUIRE(leased);
      if (!*leased) break;
      for (std::size_t i = 0; i < (*leased)->piece_ends.size(); ++i)
        ++count[(*leased)->step * plan.pieces + (*leased)->first_piece + i];
    }
  return count;
}

} // namespace

TEST_CASE("each piece is handed out once, whatever the strategy and the number of workers") {
  for (const auto strategy :
       {config::strategy::bsp, config::strategy::ssp, config::strategy::async})
    for (std::size_t workers = 1; workers <= 4; ++workers)
      for (const std::uint64_t first_step : {0, 2}) {
        CAPTURE(workers);
        auto plan = plan_of(strategy, workers, 4);
        plan.first_step = first_step;
        const auto count = all_pieces(plan);
        CHECK(count.size() == (6 - first_step) * 4);
        for (const auto& [piece, times] : count) {
          CHECK(piece >= first_step * 4);
          CHECK(times == 1);
        }
      }
}

TEST_CASE("where pushes are applied one by one a worker with several pieces gets them one by one") {
  const auto plan = plan_of(config::strategy::ssp, 1, 4);
  lease_book book(plan, 0, pass::train, plan.examples);
  for (std::uint64_t sequence = 0; sequence < 8; ++sequence) {
    const auto leased = book.lease(0, sequence);
    REQUIRE((leased && *leased));
    CHECK((*leased)->step == sequence / 4);
    CHECK((*leased)->first_piece == sequence % 4);
    CHECK((*leased)->piece_ends.size() == 1);
  }
  CHECK(book.steps_begun() == 2);
  CHECK(book.next_step(0) == 2);
}

TEST_CASE("pieces that are done are not handed out again") {
  auto plan = plan_of(config::strategy::async, 2, 4);
  plan.first_step = 1;
  plan.done.add({0, 6});
  plan.done.add({9, 11});
  const auto count = all_pieces(plan);
  CHECK(count.size() == 24 - 6 - 2);
  for (const auto& [piece, times] : count)
    CHECK_FALSE(plan.done.contains({piece, piece + 1}));
}

TEST_CASE("a lease that is asked for again gets the same batch, also when others followed it") {
  const auto plan = plan_of(config::strategy::async, 2, 4);
  for (const bool kept : {true, false}) {
    rule_set rules;
    if (!kept) rules.break_rule(rule::leased_once);
    lease_book book(plan, 0, pass::train, plan.examples, rules);
    std::vector<std::vector<std::uint32_t>> first;
    for (std::uint64_t sequence = 0; sequence < 5; ++sequence) {
      const auto leased = book.lease(0, sequence);
      REQUIRE((leased && *leased));
      first.push_back((*leased)->examples);
      REQUIRE(book.lease(1, sequence));
    }
    for (const std::uint64_t sequence : {2, 4, 0}) {
      const auto again = book.lease(0, sequence);
      REQUIRE((again && *again));
      CHECK(((*again)->examples == first[sequence]) == kept);
    }
    CHECK(book.lease(0, 6).failure().code == errc::refused);
  }
}
