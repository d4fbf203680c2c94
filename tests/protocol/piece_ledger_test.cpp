/// Which pushes a shard has applied, by the pieces that they were computed from.

#include "actors/env/random.hpp"
#include "actors/mesh/message.hpp"
#include "actors/server_shard/piece_ledger.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

using namespace gradmesh;
using job::piece_set;
using server_shard::piece_ledger;
using server_shard::push_name;

TEST_CASE("a set of pieces is what was added, whatever the order") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    env::random_stream random(seed);
    piece_set set(random.below(5));
    std::set<std::uint64_t> model;
    for (std::uint64_t piece = 0; piece < set.below(); ++piece)
      model.insert(piece);
    for (int i = 0; i < 20; ++i) {
      const auto first = random.below(60);
      const auto last = first + random.below(6);
      set.add({first, last});
      for (auto piece = first; piece < last; ++piece)
        model.insert(piece);
      const job::piece_run asked{random.below(60), random.below(70)};
      bool all = true;
      bool some = false;
      for (auto piece = asked.first; piece < asked.last; ++piece) {
        all = all && model.contains(piece);
        some = some || model.contains(piece);
      }
      if (asked.first >= asked.last) continue;
      CHECK(set.contains(asked) == all);
      CHECK(set.touches(asked) == some);
    }
    CHECK(set.size() == model.size());
    std::uint64_t below = 0;
    while (model.contains(below))
      ++below;
    CHECK(set.below() == below);
    mesh::draft<schema::ShardProgress> draft;
    encode(set, draft->initDone());
    const auto again = job::decode(draft->asReader().getDone());
    REQUIRE(again);
    CHECK(*again == set);
  }
}

TEST_CASE("pieces on the wire ascend") {
  mesh::draft<schema::ShardProgress> draft;
  auto set = draft->initDone();
  set.setBelow(4);
  auto above = set.initAbove(2);
  above.set(0, 9);
  for (const std::uint64_t second : {9U, 8U, 3U}) {
    above.set(1, second);
    CHECK(job::decode(set.asReader()).failure().code == errc::malformed_message);
  }
  above.set(1, 10);
  CHECK(job::decode(set.asReader())->size() == 6);
}

TEST_CASE("every part of a push is new once, in whatever order pushes and parts come") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    env::random_stream random(seed);
    piece_ledger ledger;
    std::vector<push_name> parts; // of every push, twice
    for (std::uint64_t first = 0; first < 40;) {
      const auto last = first + 1 + random.below(3);
      const auto count = static_cast<std::uint32_t>(1 + random.below(3));
      for (std::uint32_t part = 0; part < count; ++part)
        parts.insert(parts.end(), 2, {{first, last}, part, count});
      first = last;
    }
    for (auto i = parts.size() - 1; i > 0; --i)
      std::swap(parts[i], parts[random.below(i + 1)]);
    std::set<std::pair<std::uint64_t, std::uint32_t>> taken;
    for (const auto& part : parts) {
      const auto has = ledger.has(part);
      REQUIRE(has);
      CHECK(*has == !taken.emplace(part.pieces.first, part.part).second);
      if (!*has) ledger.add(part);
    }
    CHECK(ledger.done().below() >= 40);
    CHECK(ledger.done().runs().size() == 1);
    CHECK(ledger.open().empty());
  }
}

TEST_CASE("a push that is cut otherwise than one before is refused") {
  piece_ledger ledger;
  CHECK(ledger.add({{4, 8}, 0, 1}));
  CHECK(*ledger.has({{4, 8}, 0, 1}));
  CHECK(*ledger.has({{5, 7}, 0, 1}));
  CHECK(ledger.has({{2, 6}, 0, 1}).failure().code == errc::refused);
  CHECK(ledger.has({{7, 9}, 0, 1}).failure().code == errc::refused);
  CHECK_FALSE(*ledger.has({{8, 10}, 0, 1}));
  CHECK_FALSE(ledger.add({{10, 14}, 1, 2})); // in part
  CHECK(ledger.has({{10, 12}, 0, 1}).failure().code == errc::refused);
  CHECK(ledger.has({{12, 14}, 0, 2}).failure().code == errc::refused);
  CHECK(ledger.has({{9, 15}, 0, 2}).failure().code == errc::refused);
  CHECK(ledger.has({{10, 14}, 0, 3}).failure().code == errc::refused);
  CHECK_FALSE(*ledger.has({{10, 14}, 0, 2}));
  CHECK(*ledger.has({{10, 14}, 1, 2}));
}
