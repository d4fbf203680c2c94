/// Where the copies of shards are, whatever happens to their servers.

#include "actors/coordinator/layout_keeper.hpp"

#include "actors/env/random.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using coordinator::layout_keeper;

namespace {

job::place server(std::uint8_t node, std::uint16_t index = 0) {
  return {{{node}, {mesh::service_kind::server_shard, index}}, "server-" + std::to_string(node)};
}

std::vector<job::place> servers(std::initializer_list<std::uint8_t> nodes) {
  std::vector<job::place> places;
  for (const auto node : nodes)
    places.push_back(server(node));
  return places;
}

} // namespace

TEST_CASE("each shard of a new job has a synced backup on another node, evenly spread") {
  const layout_keeper keeper(servers({1, 2, 3}), 2, 1, {});
  const auto& layout = keeper.layout();
  REQUIRE(layout.size() == 3);
  CHECK(layout.number == 1);
  for (std::uint8_t shard = 0; shard < 3; ++shard) {
    CHECK(layout.primary(shard) == server(shard + 1));
    CHECK(layout.shards[shard].backup == server((shard + 1) % 3 + 1));
    CHECK(layout.shards[shard].synced);
  }
}

TEST_CASE("shards on one node, or with one copy, have no backup") {
  const layout_keeper together({server(1, 0), server(1, 1)}, 2, 1, {});
  const layout_keeper single(servers({1, 2}), 1, 1, {});
  for (const auto* keeper : {&together, &single})
    for (const auto& replicas : keeper->layout().shards)
      CHECK_FALSE(replicas.backup);
}

TEST_CASE("a synced backup becomes the primary, and gets a backup that is not synced yet") {
  layout_keeper keeper(servers({1, 2, 3}), 2, 1, {});
  REQUIRE(keeper.update(servers({2, 3}), {}));
  const auto& layout = keeper.layout();
  CHECK(layout.number == 2);
  CHECK(keeper.lost().empty());
  CHECK(layout.primary(0) == server(2));
  CHECK(layout.shards[0].backup == server(3));
  CHECK_FALSE(layout.shards[0].synced);
  CHECK(layout.shards[1].synced); // neither of its servers was concerned
  CHECK(layout.shards[2].backup == server(2));
  CHECK_FALSE(layout.shards[2].synced);
  CHECK_FALSE(keeper.update(servers({2, 3}), {}));
}

TEST_CASE("a backup that is not synced is not promoted: the shard is lost") {
  layout_keeper keeper(servers({1, 2, 3}), 2, 1, {});
  REQUIRE(keeper.update(servers({2, 3}), {}));
  REQUIRE(keeper.update(servers({3}), {}));
  CHECK(keeper.lost() == std::vector<std::uint32_t>{0});
}

TEST_CASE("without its rule an unsynced backup is promoted") {
  rule_set rules;
  rules.break_rule(rule::promote_synced);
  layout_keeper keeper(servers({1, 2, 3}), 2, 1, rules);
  REQUIRE(keeper.update(servers({2, 3}), {}));
  REQUIRE(keeper.update(servers({3}), {}));
  CHECK(keeper.lost().empty());
}

TEST_CASE("a backup is synced when its present primary says so, and not by older news") {
  layout_keeper keeper(servers({1, 2, 3}), 2, 1, {});
  REQUIRE(keeper.update(servers({2, 3}), {}));
  CHECK_FALSE(keeper.synced(0, 1, server(2).where)); // of the backup that was promoted
  CHECK_FALSE(keeper.synced(0, 2, server(3).where)); // not its primary
  CHECK_FALSE(keeper.synced(0, 3, server(2).where)); // of a pair that there is not
  CHECK_FALSE(keeper.synced(9, 2, server(2).where));
  keeper.renumber();
  CHECK(keeper.synced(0, 2, server(2).where)); // the pair is the same as then
  CHECK(keeper.layout().number == 4);
  CHECK(keeper.layout().shards[0].synced);
  CHECK_FALSE(keeper.synced(0, 4, server(2).where));
}

TEST_CASE("a backup that does not answer its primary is parted from it, and begins anew") {
  layout_keeper keeper(servers({1, 2}), 2, 1, {});
  CHECK_FALSE(keeper.part(0, 1, server(2).where)); // not its primary
  CHECK_FALSE(keeper.part(0, 2, server(1).where)); // of a pair that there is not
  CHECK(keeper.part(0, 1, server(1).where));
  CHECK_FALSE(keeper.layout().shards[0].backup);
  CHECK_FALSE(keeper.part(0, 1, server(1).where));
  REQUIRE(keeper.update(servers({1, 2}), {}));
  CHECK(keeper.layout().shards[0].backup == server(2));
  CHECK_FALSE(keeper.layout().shards[0].synced);
  CHECK(keeper.layout().shards[0].pairing == 3);
}

TEST_CASE("a server that comes gets the backups that were missing") {
  layout_keeper keeper(servers({1}), 2, 1, {});
  REQUIRE(keeper.update(servers({1, 2}), {}));
  CHECK(keeper.layout().shards[0].backup == server(2));
  CHECK_FALSE(keeper.layout().shards[0].synced);
}

TEST_CASE("a node that drains keeps a shard until a synced backup elsewhere takes it") {
  for (const std::uint32_t copies : {1U, 2U}) {
    CAPTURE(copies);
    layout_keeper keeper(servers({1, 2, 3}), copies, 1, {});
    const std::set<mesh::node_uuid> draining{{1}};
    const auto all = servers({1, 2, 3});
    for (int round = 0; round < 10 && keeper.replicas_on(draining) > 0; ++round) {
      (void)keeper.update(all, draining);
      for (std::uint32_t shard = 0; shard < 3; ++shard)
        (void)keeper.synced(shard, keeper.layout().shards[shard].pairing,
                            keeper.layout().primary(shard).where);
    }
    CHECK(keeper.replicas_on(draining) == 0);
    CHECK(keeper.lost().empty());
    for (const auto& replicas : keeper.layout().shards)
      CHECK(replicas.backup.has_value() == (copies == 2));
  }
}

TEST_CASE("whatever servers come and go, no shard is led by who was not synced") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    env::random_stream random(seed);
    layout_keeper keeper(servers({1, 2, 3, 4}), 2, 1, {});
    std::set<std::uint8_t> there{1, 2, 3, 4};
    for (int event = 0; event < 30 && keeper.lost().empty(); ++event) {
      const auto before = keeper.layout();
      const auto node = static_cast<std::uint8_t>(1 + random.below(6));
      if (random.below(3) == 0 && there.size() > 1)
        there.erase(node);
      else if (random.below(2) == 0)
        there.insert(node);
      std::vector<job::place> places;
      for (const auto n : there)
        places.push_back(server(n));
      const bool changed = keeper.update(places, {});
      const auto& after = keeper.layout();
      CHECK(after.number == before.number + (changed ? 1 : 0));
      for (std::size_t s = 0; s < after.size(); ++s) {
        const auto& was = before.shards[s];
        const auto& is = after.shards[s];
        if (is.primary != was.primary) CHECK((was.synced && was.backup == is.primary));
        if (is.synced) CHECK((was.synced && is.backup == was.backup && is.primary == was.primary));
        if (is.backup) CHECK(is.backup->where.node != is.primary.where.node);
      }
      const auto shard = static_cast<std::uint32_t>(random.below(after.size()));
      if (random.below(2) == 0)
        (void)keeper.synced(shard, after.shards[shard].pairing, after.primary(shard).where);
    }
  }
}
