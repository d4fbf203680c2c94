/// Pushes of a dense block that wait for their turn go to the backup as one block: it is the same
/// to the bit as if it had been sent each, and so is every rule about what is acknowledged, sent
/// again and applied once.

#include "tests/support/replica_bench.hpp"

#include <numeric>

using namespace gradmesh;
using testing::replica_bench;
using strategy = config::strategy;
using push = testing::replica_bench::push_content;

namespace {

constexpr testing::test_links::link worker_to_primary{replica_bench::worker_node, 1};
constexpr testing::test_links::link primary_to_backup{1, 2};
constexpr testing::test_links::link backup_to_primary{2, 1};

/// What is on its way to the backup.
std::vector<mesh::message<schema::Replicate>> on_their_way(replica_bench& bench) {
  std::vector<mesh::message<schema::Replicate>> changes;
  for (const auto& f : bench.links.waiting[primary_to_backup])
    changes.push_back(*mesh::message<schema::Replicate>::decode(f));
  return changes;
}

void deliver_all(replica_bench& bench, testing::test_links::link link) {
  while (bench.links.deliver(link)) {
  }
}

/// The backup takes what is there and says so.
void replicate(replica_bench& bench) {
  deliver_all(bench, primary_to_backup);
  bench.hosts.at(2).job->answer_primaries();
  deliver_all(bench, backup_to_primary);
}

/// So many pushes of a step each, of values that are no round numbers; they are applied at the
/// primary.
void push_some(replica_bench& bench, std::uint64_t first, std::uint64_t count) {
  for (auto step = first; step < first + count; ++step)
    bench.push({.step = step, .key = step, .value = 0.1F * static_cast<float>(step + 1)});
  deliver_all(bench, worker_to_primary);
}

std::span<const float> block_of(replica_bench& bench, std::uint8_t node) {
  return bench.replica_of(node)->job().parameters().store().dense_block(0).values;
}

std::vector<float> bias(replica_bench& bench, std::uint8_t node) {
  const auto values = block_of(bench, node);
  return {values.begin(), values.end()};
}

/// The backup receives, as a change, a body full of fives as the block that parts with a number
/// have made of the one that they name.
void send_block(replica_bench& bench, std::uint64_t change,
                const std::vector<std::uint32_t>& blocks, std::uint32_t number,
                const mesh::writable_body& body) {
  mesh::draft<schema::Replicate> draft;
  draft->setJobId(1);
  draft->setLayout(bench.plan.layout.number);
  draft->setNumber(change);
  draft->getChange().setBlock(2);
  auto parts = draft->initParts(static_cast<unsigned>(blocks.size()));
  for (unsigned i = 0; i < blocks.size(); ++i) {
    parts[i].initPart().setBlock(blocks[i]);
    parts[i].setNumber(number);
    parts[i].setCount(2);
    parts[i].setStep(1);
    parts[i].setFirstPiece(i);
    parts[i].setPieces(1);
  }
  std::ranges::fill(body.as<float>(0, body.bytes.size() / sizeof(float)), 5.0F);
  draft.body = body.share();
  (void)bench.hosts.at(1).router->send({mesh::node_uuid{2}, replica_bench::shard_service},
                                       replica_bench::shard_service, draft);
  deliver_all(bench, primary_to_backup);
}

} // namespace

TEST_CASE("pushes of a block that come while changes are on their way are one change") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  push_some(bench, 0, 10);
  // The first push at once: its block, and its row. Then the block waits, and what is behind it.
  const auto first = on_their_way(bench);
  REQUIRE(first.size() == 2);
  CHECK((*first[0]).getChange().isBlock());
  CHECK((*first[0]).getParts().size() == 1);
  CHECK((*first[1]).getChange().isPushes());
  replicate(bench);
  const auto rest = on_their_way(bench);
  REQUIRE(rest.size() == 10); // one block, nine rows
  CHECK((*rest[0]).getChange().isBlock());
  CHECK((*rest[0]).getChange().getBlock() == 10); // updates
  CHECK((*rest[0]).getParts().size() == 9);
  CHECK((*rest[0]).getNumber() == 3);
  CHECK(rest[0].body().size() == 2 * sizeof(float));
  for (std::size_t i = 1; i < rest.size(); ++i)
    CHECK((*rest[i]).getChange().isPushes());
  deliver_all(bench, {1, replica_bench::worker_node});
  CHECK(bench.acknowledged.size() == 1);
  replicate(bench);
  deliver_all(bench, {1, replica_bench::worker_node});
  CHECK(bench.acknowledged.size() == 10);
  CHECK(bench.image(1) == bench.image(2));
}

TEST_CASE("a block waits for pushes until most of what is on its way has come") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  push_some(bench, 0, 10);
  replicate(bench);
  REQUIRE(on_their_way(bench).size() == 10);
  push_some(bench, 10, 2);
  const auto come = [&](int changes) {
    for (int i = 0; i < changes; ++i)
      REQUIRE(bench.links.deliver(primary_to_backup));
    bench.hosts.at(2).job->answer_primaries();
    deliver_all(bench, backup_to_primary);
  };
  come(6);
  CHECK(on_their_way(bench).size() == 4);
  come(1);
  const auto rest = on_their_way(bench);
  REQUIRE(rest.size() == 3 + 3); // a block and two rows behind what was there
  CHECK((*rest[3]).getChange().isBlock());
  CHECK((*rest[3]).getParts().size() == 2);
  bench.run();
  CHECK(bench.open.empty());
  CHECK(bench.image(1) == bench.image(2));
}

TEST_CASE("no push of a block is acknowledged before the backup has it") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  push_some(bench, 0, 4);
  const auto told = on_their_way(bench).size();
  for (std::size_t i = 0; i < told; ++i)
    REQUIRE(bench.links.deliver(primary_to_backup));
  bench.hosts.at(2).job->answer_primaries();
  bench.links.waiting[primary_to_backup].clear();
  deliver_all(bench, backup_to_primary);
  deliver_all(bench, {1, replica_bench::worker_node});
  // The three that joined are on their way; who has them is the primary alone.
  CHECK(bench.acknowledged.size() == 1);
  bench.kill(1);
  bench.publish(2, std::nullopt);
  bench.run();
  for (const auto& p : std::set(bench.open))
    bench.push(p);
  bench.run();
  CHECK(bench.open.empty());
  CHECK(bench.replica_of(2)->job().clock() == 4);
  CHECK(bias(bench, 2)[0] == doctest::Approx(-0.1 - 0.2 - 0.3 - 0.4));
}

TEST_CASE("what was sent once stays as it was, and later pushes are another change") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  push_some(bench, 0, 1);
  const auto sent = on_their_way(bench);
  // The backup has it, but the link breaks before it says so.
  deliver_all(bench, primary_to_backup);
  push_some(bench, 1, 2);
  bench.hosts.at(1).job->link_lost(mesh::node_uuid{2});
  bench.settle();
  const auto again = on_their_way(bench);
  REQUIRE(again.size() >= 2);
  CHECK((*again[0]).getNumber() == 1);
  CHECK((*again[0]).getParts().size() == 1);
  CHECK(std::ranges::equal(again[0].body(), sent[0].body()));
  bench.run();
  CHECK(bench.open.empty());
  CHECK(bench.image(1) == bench.image(2));
}

TEST_CASE("a promoted backup knows each push of a block that it was sent as one") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  push_some(bench, 0, 6);
  bench.run();
  REQUIRE(bench.open.empty());
  const auto before = bench.image(2);
  bench.kill(1);
  bench.publish(2, std::nullopt);
  bench.run();
  const auto pushed = std::exchange(bench.acknowledged, {});
  for (const auto& p : pushed)
    bench.push(p);
  bench.run();
  CHECK(bench.acknowledged == pushed);
  CHECK(bench.image(2) == before);
}

TEST_CASE("pushes that come while a snapshot is on its way follow it as one block") {
  replica_bench bench(strategy::async);
  bench.begin(1, std::nullopt);
  push_some(bench, 0, 2);
  bench.publish(1, 2);
  deliver_all(bench, {replica_bench::coordinator_node, 1});
  deliver_all(bench, {replica_bench::coordinator_node, 2});
  push_some(bench, 2, 5);
  std::size_t blocks = 0;
  for (bool some = true; some; bench.settle()) {
    for (const auto& f : bench.links.waiting[primary_to_backup])
      if (const auto change = mesh::message<schema::Replicate>::decode(f);
          f->header.kind == mesh::message_traits<schema::Replicate>::kind)
        blocks += (**change).getChange().isBlock();
    some = !bench.links.waiting[primary_to_backup].empty();
    replicate(bench);
  }
  CHECK(blocks == 2); // the first, and one for the four others
  bench.run();
  CHECK(bench.backup_is_synced());
  CHECK(bench.image(1) == bench.image(2));
}

TEST_CASE("a backup has the bits of its primary under each strategy, whatever waits together") {
  for (const auto s : {strategy::bsp, strategy::ssp, strategy::bounded_delay, strategy::async})
    for (const auto* rule : {"type = sgd\n", "type = momentum\n"}) {
      CAPTURE(static_cast<int>(s));
      CAPTURE(rule);
      replica_bench bench(s, 2, {}, rule);
      bench.begin(1, 2);
      for (std::uint64_t step = 0; step < 6; ++step) {
        for (std::uint32_t rank = 0; rank < 2; ++rank)
          bench.push({.rank = rank,
                      .step = step,
                      .piece = rank,
                      .key = step % 3,
                      .value = 0.3F * static_cast<float>(step) - static_cast<float>(rank),
                      .read_clock = bench.replica_of(1)->job().clock()});
        deliver_all(bench, worker_to_primary);
        if (step == 3) replicate(bench);
      }
      bench.run();
      CHECK(bench.open.empty());
      CHECK(bench.image(1) == bench.image(2));
    }
}

TEST_CASE("a block whose rule keeps a state is replicated by its pushes") {
  replica_bench bench(strategy::async, 1, {}, "type = momentum\n");
  bench.begin(1, 2);
  push_some(bench, 0, 3);
  const auto changes = on_their_way(bench);
  REQUIRE(changes.size() == 3);
  for (const auto& change : changes) {
    CHECK((*change).getChange().isPushes());
    CHECK((*change).getParts().size() == 2);
  }
}

TEST_CASE("a push that is too many for one change begins another") {
  const auto joined_max = server_shard::waiting_changes::joined_max;
  replica_bench bench(strategy::async, 1, {}, "type = sgd\n", 64u << 20);
  bench.plan.steps_per_epoch = bench.plan.steps = 2 * joined_max;
  bench.begin(1, 2);
  push_some(bench, 0, joined_max + 2);
  std::vector<std::size_t> pushes;
  for (const auto& change : on_their_way(bench))
    if ((*change).getChange().isBlock()) pushes.push_back((*change).getParts().size());
  REQUIRE(pushes.size() == 2); // the last one waits
  CHECK(pushes[0] == 1);
  CHECK(pushes[1] == joined_max);
  bench.run();
  CHECK(bench.open.empty());
  CHECK(bench.image(1) == bench.image(2));
}

TEST_CASE("a block that is not what it says is refused, and changes nothing") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  push_some(bench, 0, 1);
  bench.run();
  const auto before = bench.image(2);
  const auto send = [&](const std::vector<std::uint32_t>& blocks, std::uint32_t number,
                        std::size_t floats) {
    send_block(bench, 3, blocks, number, mesh::allocate_body(floats * sizeof(float)));
    return bench.image(2) != before;
  };
  CHECK_FALSE(send({}, 0, 2));     // of no push
  CHECK_FALSE(send({1}, 0, 2));    // there is no such block
  CHECK_FALSE(send({0, 1}, 0, 2)); // of two blocks
  CHECK_FALSE(send({0}, 2, 2));    // part 2 of 2
  CHECK_FALSE(send({0}, 0, 1));    // too short
  CHECK_FALSE(send({0}, 0, 4));    // too long
  CHECK(send({0, 0}, 0, 2));
}

TEST_CASE("a backup keeps a block where it was received, unless that memory is lent") {
  replica_bench bench(strategy::async);
  bench.begin(1, 2);
  push_some(bench, 0, 1);
  bench.run();
  // Neighbours in a process are sent the primary's own block.
  REQUIRE(bias(bench, 2) == bias(bench, 1));
  CHECK(block_of(bench, 2).data() != block_of(bench, 1).data());

  const auto body = mesh::allocate_body(2 * sizeof(float));
  send_block(bench, 3, {0}, 0, body);
  CHECK(bias(bench, 2) == std::vector<float>{5, 5});
  CHECK(block_of(bench, 2).data() == body.as<float>(0, 2).data());
}
