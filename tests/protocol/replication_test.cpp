/// A shard with a backup: the two are the same to the bit, a promoted backup goes on where its
/// primary was, and whatever dies, nothing that was acknowledged is lost and nothing is applied
/// twice.

#include "tests/support/replica_bench.hpp"

#include "actors/env/random.hpp"

using namespace gradmesh;
using testing::replica_bench;
using strategy = config::strategy;
using push = testing::replica_bench::push_content;

namespace {

const std::string adam = "type = adam\nschedule = step\ndecay_steps = 2\n"
                         "decay_factor = 0.5\n";

/// Two workers' pushes of a step, with values of their own.
void push_step(replica_bench& bench, std::uint64_t step) {
  const auto clock = bench.replica_of(1)->job().clock();
  for (std::uint32_t rank = 0; rank < 2; ++rank)
    bench.push({.rank = rank,
                .step = step,
                .piece = rank,
                .key = 3 * step % 7 + rank,
                .value = 0.25F * static_cast<float>(step + 1) - static_cast<float>(rank),
                .read_clock = clock});
  bench.run();
}

} // namespace

TEST_CASE("a backup has the bits of its primary: values, state of the rule, ledger and clock") {
  for (const auto s : {strategy::bsp, strategy::ssp, strategy::bounded_delay, strategy::async}) {
    CAPTURE(static_cast<int>(s));
    replica_bench bench(s, 2, {}, adam);
    bench.begin(1, 2);
    for (std::uint64_t step = 0; step < 5; ++step)
      push_step(bench, step);
    CHECK(bench.open.empty());
    CHECK(bench.replica_of(1)->job().clock() == (s == strategy::bsp ? 5 : 10));
    CHECK(bench.image(1) == bench.image(2));
    CHECK(bench.row(2, 0).has_value());
  }
}

TEST_CASE("a backup that comes later has the bits of its primary too") {
  for (const auto s : {strategy::bsp, strategy::ssp, strategy::bounded_delay, strategy::async}) {
    CAPTURE(static_cast<int>(s));
    replica_bench bench(s, 2, {}, adam);
    bench.begin(1, std::nullopt);
    for (std::uint64_t step = 0; step < 3; ++step)
      push_step(bench, step);
    bench.publish(1, 2);
    CHECK_FALSE(bench.backup_is_synced());
    bench.run();
    CHECK(bench.backup_is_synced());
    CHECK(bench.image(1) == bench.image(2));
    for (std::uint64_t step = 3; step < 5; ++step)
      push_step(bench, step);
    CHECK(bench.image(1) == bench.image(2));
    bench.publish(1, 2, true);
    bench.run();
    push_step(bench, 5);
    CHECK(bench.open.empty());
    CHECK(bench.image(1) == bench.image(2));
  }
}

TEST_CASE("a promoted backup has clock and ledger, and acknowledges what was pushed before") {
  for (const auto s : {strategy::bsp, strategy::async}) {
    replica_bench bench(s, 2, {}, adam);
    bench.begin(1, 2);
    push_step(bench, 0);
    const auto before = bench.image(2);
    bench.kill(1);
    bench.publish(2, std::nullopt);
    bench.run();
    const auto taken = bench.last_told<schema::LayoutTaken>();
    REQUIRE(taken);
    REQUIRE((**taken).getProgress().size() == 1);
    CHECK((**taken).getProgress()[0].getClock() == (s == strategy::bsp ? 1 : 2));
    CHECK((**taken).getProgress()[0].getDone().getBelow() == (s == strategy::bsp ? 4 : 2));
    bench.acknowledged.clear();
    for (std::uint32_t rank = 0; rank < 2; ++rank)
      bench.push({.rank = rank, .step = 0, .piece = rank, .key = 99});
    bench.run();
    CHECK(bench.acknowledged.size() == 2);
    CHECK(bench.image(2) == before);
    bench.push({.rank = 0, .step = 1, .key = 5});
    bench.push({.rank = 1, .step = 1, .piece = 1, .key = 5});
    bench.run();
    CHECK(bench.open.empty());
  }
}

TEST_CASE("a push that bsp acknowledged while it held it is never missing in a synced backup") {
  replica_bench bench(strategy::bsp, 2);
  bench.begin(1, std::nullopt);
  bench.push({.rank = 0});
  bench.run();
  REQUIRE(bench.acknowledged.size() == 1);
  bench.publish(1, 2);
  bench.run();
  CHECK(bench.replica_of(2)->is_complete());
  CHECK_FALSE(bench.backup_is_synced());
  bench.push({.rank = 1});
  bench.run();
  CHECK(bench.backup_is_synced());
  CHECK(bench.image(1) == bench.image(2));
  CHECK(bench.replica_of(2)->job().clock() == 1);
}

TEST_CASE("with a backup, bsp acknowledges a push when its step is applied") {
  replica_bench bench(strategy::bsp, 2);
  bench.begin(1, 2);
  bench.push({.rank = 0});
  bench.run();
  CHECK(bench.acknowledged.empty());
  bench.push({.rank = 0}); // again: told as well, and not earlier
  bench.run();
  CHECK(bench.acknowledged.empty());
  bench.push({.rank = 1});
  bench.run();
  CHECK(bench.acknowledged.size() == 2);
}

TEST_CASE("a backup that acknowledges nothing for too long is reported") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  bench.links.down.insert(2); // to its primary; the coordinator still hears of it
  bench.push({.step = 0, .key = 7});
  bench.run();
  CHECK_FALSE(bench.last_told<schema::BackupReport>());
  bench.now += std::chrono::seconds(2);
  bench.run();
  const auto report = bench.last_told<schema::BackupReport>();
  REQUIRE(report);
  CHECK_FALSE((**report).getSynced());
  CHECK((**report).getPairing() == 1);
  CHECK(bench.acknowledged.empty());
  bench.publish(1, std::nullopt);
  bench.run();
  CHECK(bench.acknowledged.size() == 1);
}

TEST_CASE("a host that a layout does not name forgets the shard") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  bench.publish(1, std::nullopt);
  bench.run();
  CHECK(bench.replica_of(2) == nullptr);
  bench.publish(2, std::nullopt);
  bench.run();
  CHECK(bench.replica_of(2) == nullptr); // it refused
  const auto refused = bench.last_told<schema::Refusal>();
  REQUIRE(refused);
  CHECK(mesh::to_error(**refused).text.find("has nothing") != std::string::npos);
}

TEST_CASE("an older layout changes nothing, the same one is answered again") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  bench.publish(1, 2, true);
  bench.publish(1, 2, true);
  bench.run();
  const auto answers = bench.told.size();
  bench.plan.layout.number -= 2;
  bench.publish(2, 1); // number 2 again
  bench.run();
  CHECK(bench.told.size() == answers);
  CHECK(bench.replica_of(1)->is_primary());
}

TEST_CASE("when too much waits for the backup, pushes are to come later") {
  replica_bench bench(strategy::async, 1, {}, "type = sgd\n", 1000);
  bench.begin(1, 2);
  bench.kill(2);
  for (std::uint64_t step = 0; step < 20; ++step)
    bench.push({.step = step, .key = step});
  bench.run();
  CHECK(bench.acknowledged.empty());
  REQUIRE(!bench.refusals.empty());
  CHECK(bench.refusals.back().code == errc::retry_later);
  CHECK(bench.replica_of(1)->job().clock() < 20);
  bench.publish(1, std::nullopt); // the coordinator has decided
  bench.run();
  CHECK(bench.acknowledged.size() == bench.replica_of(1)->job().clock());
}

TEST_CASE("a new generation of workers goes on with parameters, ledger and clock") {
  for (const auto s : {strategy::bsp, strategy::async}) {
    replica_bench bench(s, 2, {}, adam);
    bench.begin(1, 2);
    push_step(bench, 0);
    bench.push({.rank = 0, .step = 1, .piece = 2, .key = 50}); // bsp: held, and dropped below
    bench.run();
    bench.set_workers(1);
    bench.regroup(0, 1, 2);
    CHECK(bench.replica_of(1)->job().clock() == (s == strategy::bsp ? 1 : 3));
    bench.acknowledged.clear();
    bench.push({.rank = 0, .step = 0, .piece = 0, .key = 50}); // done before
    bench.push({.rank = 0, .step = 1, .piece = 3, .key = 60});
    bench.run();
    CHECK(bench.acknowledged.size() == 2);
    CHECK(bench.row(1, 60).has_value());
    CHECK(bench.row(1, 50).has_value() == (s == strategy::async));
    CHECK(bench.image(1) == bench.image(2));
  }
}

TEST_CASE("a shard that is a step ahead is read as it was before, also from its backup") {
  replica_bench bench(strategy::bsp, 1);
  bench.begin(1, 2);
  bench.push({.step = 0, .key = 7});
  bench.run();
  bench.push({.step = 1, .key = 7});
  bench.run();
  bench.regroup(1, 1, 2);
  const auto read = [&](std::uint64_t clock, bool for_push = true) {
    bench.pull(clock, 7, for_push);
    bench.run();
    return bench.pulled;
  };
  CHECK(read(1) == std::vector<float>(4, 1));
  CHECK(read(2) == std::vector<float>(4, 2));
  CHECK(read(1, false) == std::vector<float>(4, 2)); // an evaluation
  bench.kill(1);
  bench.publish(2, 3);
  bench.run();
  CHECK(read(1) == std::vector<float>(4, 1));
  CHECK(bench.backup_is_synced());
  bench.publish(2, 3, true);
  bench.run();
  bench.kill(2);
  bench.publish(3, std::nullopt);
  bench.run();
  CHECK(read(1) == std::vector<float>(4, 1));
  bench.push({.step = 2, .key = 7});
  bench.run();
  CHECK(read(2) == std::vector<float>(4, 3)); // comes again: nobody is behind any more
  CHECK(read(3) == std::vector<float>(4, 3));
}

TEST_CASE("whoever dies when, every push that is acknowledged is applied once") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    env::random_stream random(seed);
    replica_bench bench(strategy::async, 1);
    std::uint8_t primary = 1;
    std::optional<std::uint8_t> backup = 2;
    bool synced = true;
    bench.begin(1, 2);
    std::vector<push> pushes;
    const auto publish = [&] {
      bench.publish(primary, backup, synced);
      for (const auto& p : bench.open)
        bench.push(p);
    };
    const auto spare = [&]() -> std::uint8_t {
      for (std::uint8_t node = 1; node <= 3; ++node)
        if (node != primary && node != backup) return node;
      return 0;
    };
    for (int event = 0; event < 150; ++event) {
      switch (random.below(12)) {
      case 0:
      case 1:
      case 2: {
        const auto n = pushes.size();
        pushes.push_back({.step = n / 4, .piece = static_cast<std::uint32_t>(n % 4), .key = n});
        bench.push(pushes.back());
        break;
      }
      case 3: // somebody sends one again
        if (!pushes.empty()) bench.push(pushes[random.below(pushes.size())]);
        break;
      case 4:
        bench.settle();
        break;
      case 5:
        if (random.below(3) > 0) break;
        if (backup && synced && random.below(2) == 0) { // the primary dies
          bench.kill(primary);
          bench.start_host(primary);
          primary = *backup;
          backup.reset();
        } else if (backup) { // the backup dies
          bench.kill(*backup);
          bench.start_host(*backup);
          backup.reset();
        }
        synced = false;
        publish();
        break;
      case 6:
        if (!backup) {
          backup = spare();
          publish();
        } else if (synced && random.below(4) == 0) { // a generation
          publish();
        }
        break;
      case 7:
        if (backup && !synced && bench.backup_is_synced()) {
          synced = true;
          publish();
        }
        break;
      default: { // a link delivers
        std::vector<testing::test_links::link> busy;
        for (const auto& [link, frames] : bench.links.waiting)
          if (!frames.empty()) busy.push_back(link);
        if (!busy.empty()) bench.links.deliver(busy[random.below(busy.size())]);
      }
      }
    }
    bench.run();
    if (!backup) {
      backup = spare();
      publish();
      bench.run();
    }
    if (!synced) {
      REQUIRE(bench.backup_is_synced());
      synced = true;
    }
    publish();
    bench.run();
    CHECK(bench.open.empty());
    for (const auto& p : pushes)
      CHECK(bench.row(primary, p.key) == 1.0F);
    const auto& store = bench.replica_of(primary)->job().parameters().store();
    CHECK(store.dense_block(0).values[0] == static_cast<float>(pushes.size()));
    CHECK(bench.image(primary) == bench.image(*backup));
    CHECK(bench.replica_of(primary)->job().clock() == pushes.size());
  }
}
