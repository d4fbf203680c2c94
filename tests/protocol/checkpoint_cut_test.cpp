/// What a shard does for a checkpoint, message by message.

#include "tests/support/replica_bench.hpp"

using namespace gradmesh;
using namespace std::chrono_literals;
using testing::replica_bench;
using strategy = config::strategy;
using push = testing::replica_bench::push_content;

namespace {

void hold(replica_bench& bench, std::uint64_t ticket) {
  bench.stage(1, ticket, [](auto stage) { stage.setHold(); });
  bench.run();
}
void cut(replica_bench& bench, std::uint64_t ticket, const job::piece_set& pieces) {
  bench.stage(1, ticket, [&](auto stage) { job::encode(pieces, stage.initCut()); });
  bench.run();
}
void over(replica_bench& bench, std::uint64_t ticket) {
  bench.stage(1, ticket, [](auto stage) { stage.setOver(); });
  bench.run();
}

/// What the shard said that it has begun; nothing: it did not hold under the ticket.
std::optional<job::piece_set> held(replica_bench& bench, std::uint64_t ticket) {
  const auto said = bench.last_told<schema::PushesHeld>();
  if (!said || (**said).getTicket() != ticket) return std::nullopt;
  REQUIRE((**said).getShards().size() == 1);
  auto pieces = job::decode((**said).getShards()[0].getDone());
  REQUIRE(pieces);
  return *std::move(pieces);
}
std::size_t chunks(replica_bench& bench, std::uint64_t ticket) {
  std::size_t count = 0;
  for (const auto& f : bench.told)
    if (f->header.kind == mesh::message_traits<schema::CheckpointChunk>::kind)
      count += (**mesh::message<schema::CheckpointChunk>::decode(f)).getTicket() == ticket;
  return count;
}

} // namespace

TEST_CASE("a shard that holds takes what it has begun and keeps other pushes waiting") {
  for (const auto method : {strategy::async, strategy::ssp, strategy::bsp}) {
    CAPTURE(static_cast<int>(method));
    replica_bench bench(method, 2);
    bench.begin(1, std::nullopt);
    bench.push({.rank = 0, .step = 0, .piece = 0});
    bench.push({.rank = 1, .step = 0, .piece = 1});
    bench.run();
    REQUIRE(bench.acknowledged.size() == 2);
    hold(bench, 7);
    // bsp: the step of four pieces is applied; otherwise two pieces are.
    REQUIRE(held(bench, 7));
    CHECK(held(bench, 7)->below() == (method == strategy::bsp ? 4 : 2));
    const push later{.rank = 0, .step = 1, .piece = 0};
    bench.push(later);
    bench.push({.rank = 0, .step = 0, .piece = 0}); // comes again
    bench.run();
    CHECK(bench.open.contains(later));
    CHECK(bench.is_acknowledged({.rank = 0, .step = 0, .piece = 0}));
    over(bench, 7);
    CHECK((bench.is_acknowledged(later)));
    CHECK(chunks(bench, 7) == 0);
  }
}

TEST_CASE("a shard freezes when it has the cut and nothing else") {
  replica_bench bench(strategy::async, 2);
  bench.begin(1, std::nullopt);
  bench.push({.rank = 0, .step = 0, .piece = 0, .key = 5});
  bench.run();
  hold(bench, 7);
  // Another shard has begun piece 2.
  job::piece_set pieces;
  pieces.add({0, 1});
  pieces.add({2, 3});
  const push beyond{.rank = 1, .step = 0, .piece = 1, .key = 6};
  bench.push(beyond);
  bench.run();
  cut(bench, 7, pieces);
  CHECK(chunks(bench, 7) == 0);
  bench.push({.rank = 0, .step = 0, .piece = 2, .key = 7});
  bench.run();
  CHECK(chunks(bench, 7) > 0);
  CHECK(bench.is_acknowledged(beyond)); // after it
  // The image has the rows of 5 and 7 and not of 6.
  std::set<std::uint64_t> keys;
  for (const auto& f : bench.told) {
    if (f->header.kind != mesh::message_traits<schema::CheckpointChunk>::kind) continue;
    const auto chunk = mesh::message<schema::CheckpointChunk>::decode(f);
    const auto scope = server_shard::scope_of(chunk->body());
    REQUIRE(scope);
    if (!scope->partition) continue;
    const auto head = *chunk->template array<std::uint64_t>(0, 4);
    const auto own = *chunk->template array<std::uint64_t>(40, head[2]);
    keys.insert(own.begin(), own.end());
  }
  CHECK(keys == std::set<std::uint64_t>{5, 7});
}

TEST_CASE("a shard that hears no more of a checkpoint, or has another layout, goes on without it") {
  for (const bool by_layout : {false, true}) {
    replica_bench bench(strategy::async, 1);
    bench.begin(1, std::nullopt);
    hold(bench, 7);
    const push waiting{.step = 0};
    bench.push(waiting);
    bench.run();
    CHECK_FALSE(bench.is_acknowledged(waiting));
    if (by_layout) {
      bench.publish(1, std::nullopt);
      bench.run();
      CHECK(bench.refusals.size() == 1);
      bench.push(waiting);
    } else {
      bench.now += 2s;
      hold(bench, 7); // asked again
      bench.now += 2s;
      bench.run();
      CHECK_FALSE(bench.is_acknowledged(waiting));
      bench.now += 2s;
    }
    bench.run();
    CHECK(bench.is_acknowledged(waiting));
    cut(bench, 7, job::piece_set(4));
    CHECK(chunks(bench, 7) == 0);
    bench.told.clear();
    hold(bench, 7); // of what was dropped
    CHECK_FALSE(held(bench, 7));
    hold(bench, 8);
    CHECK(held(bench, 8));
  }
}

TEST_CASE("a cut that lacks what a shard has begun is not taken") {
  replica_bench bench(strategy::async, 1);
  bench.begin(1, std::nullopt);
  for (std::uint64_t piece : {0, 1, 2})
    bench.push({.step = 0, .piece = static_cast<std::uint32_t>(piece)});
  bench.run();
  hold(bench, 7);
  cut(bench, 7, job::piece_set(2));
  CHECK(chunks(bench, 7) == 0);
  cut(bench, 7, job::piece_set(3));
  CHECK(chunks(bench, 7) > 0);
}

TEST_CASE("chunks that did not come are sent again, those that came are not") {
  replica_bench bench(strategy::async, 1);
  bench.begin(1, std::nullopt);
  bench.push({.step = 0});
  bench.run();
  hold(bench, 7);
  cut(bench, 7, job::piece_set(1));
  const auto all = chunks(bench, 7);
  REQUIRE(all > 1);
  bench.told.clear();
  mesh::draft<schema::CheckpointTaken> taken;
  taken->setJobId(1);
  taken->setTicket(7);
  taken->setChunks(1);
  taken->setAgain(true);
  bench.send_to(1, taken);
  bench.run();
  CHECK(chunks(bench, 7) == all - 1);
}

TEST_CASE("a restored chunk that comes late does not undo what was trained since") {
  replica_bench bench(strategy::async, 1);
  bench.begin(1, std::nullopt);
  bench.push({.step = 0, .key = 5});
  bench.run();
  hold(bench, 7);
  cut(bench, 7, job::piece_set(1));
  std::vector<mesh::frame_body> image;
  for (const auto& f : bench.told)
    if (f->header.kind == mesh::message_traits<schema::CheckpointChunk>::kind)
      image.push_back(f->body);
  bench.start_host(1);
  bench.plan.done = job::piece_set(1);
  bench.plan.begins = true;
  bench.begin(1, std::nullopt);
  const auto restore = [&](const mesh::frame_body& body, bool last) {
    mesh::draft<schema::RestoreChunk> draft;
    draft->setJobId(1);
    draft->setLayout(bench.plan.layout.number);
    draft->setLast(last);
    draft.body = body;
    bench.send_to(1, draft);
    bench.run();
  };
  for (const auto& body : image)
    if (server_shard::scope_of(body.bytes)->kind != 1) restore(body, false);
  restore({}, true);
  REQUIRE(bench.row(1, 5) == 1.0F);
  bench.push({.step = 0, .piece = 0, .key = 5}); // is in it
  bench.push({.step = 0, .piece = 1, .key = 5});
  bench.run();
  const auto trained = bench.row(1, 5);
  CHECK(trained == 2.0F);
  for (const auto& body : image)
    if (server_shard::scope_of(body.bytes)->kind != 1) restore(body, false);
  CHECK(bench.row(1, 5) == trained);
}
