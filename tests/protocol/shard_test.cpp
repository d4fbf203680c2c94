/// What a shard does with requests that it should not carry out.

#include "tests/support/shard_bench.hpp"

#include <cmath>
#include <limits>
#include <numeric>

using namespace gradmesh;
using mesh::message;
using testing::shard_bench;
using testing::shard_service;
using testing::worker_service;
using strategy = config::strategy;

TEST_CASE("bsp applies a step when all workers have pushed it, and not before") {
  shard_bench bench(strategy::bsp);
  REQUIRE(bench.push({.rank = 1}));
  CHECK(bench.values() == std::vector<float>{0, 0, 0, 0});
  REQUIRE(bench.push({.rank = 0}));
  CHECK(bench.values() == std::vector<float>{-2, -2, -4, -4});
  CHECK(bench.shard->clock() == 1);
}

TEST_CASE("bsp holds a pull for a later clock until that step is applied") {
  shard_bench bench(strategy::bsp);
  REQUIRE(bench.pull(1, {5}, 1));
  CHECK(bench.answers.empty());
  CHECK(bench.shard->waiting_pulls() == 1);
  REQUIRE(bench.push({.rank = 0}));
  REQUIRE(bench.push({.rank = 1}));
  CHECK(bench.shard->waiting_pulls() == 0);
}

TEST_CASE("a repeated push is acknowledged again and not applied again") {
  for (const auto s : {strategy::bsp, strategy::async}) {
    shard_bench bench(s, 1);
    REQUIRE(bench.push({}));
    const auto before = bench.values();
    bench.answers.clear();
    REQUIRE(bench.push({}));
    CHECK(bench.answers.size() == 1);
    CHECK(bench.answers.front()->header.kind == mesh::message_traits<schema::Pushed>::kind);
    CHECK(bench.values() == before);
    CHECK(bench.shard->counters().repeated_parts == 2);
  }
}

TEST_CASE("a push from the future is refused and counted") {
  for (const auto s : {strategy::bsp, strategy::async}) {
    shard_bench bench(s, 1);
    const auto pushed = bench.push({.sequence = 99});
    CHECK_FALSE(pushed);
    CHECK(pushed.failure().code == errc::refused);
    CHECK(bench.shard->counters().refused == 1);
    CHECK(bench.values() == std::vector<float>{0, 0, 0, 0});
  }
}

TEST_CASE("async divides the learning rate by the number of workers") {
  shard_bench bench(strategy::async, 4);
  REQUIRE(bench.push({.rank = 2}));
  CHECK(bench.values() == std::vector<float>{-0.25F, -0.25F, -0.5F, -0.5F});
}

TEST_CASE("a gradient that is not finite is refused and changes nothing") {
  for (const auto s : {strategy::bsp, strategy::async})
    for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
      shard_bench bench(s, 1);
      const auto pushed = bench.push({.values = {1, 1, 2, bad}});
      CHECK_FALSE(pushed);
      CHECK(pushed.failure().code == errc::invalid_argument);
      CHECK(bench.values() == std::vector<float>{0, 0, 0, 0});
    }
}

TEST_CASE("a push whose body does not fit what it claims is refused") {
  shard_bench bench(strategy::bsp, 1);
  CHECK_FALSE(bench.push({.values = {1, 1, 2}}));
  CHECK_FALSE(bench.push({.values = {1, 1, 2, 2, 2}}));
  CHECK_FALSE(bench.push({.keys = {5, 5}, .values = {1, 1, 2, 2, 2, 2}}));
  CHECK_FALSE(bench.push({.keys = {7, 5}, .values = {1, 1, 2, 2, 2, 2}}));
  CHECK(bench.shard->counters().pushes == 0);
}

TEST_CASE("a pull whose body does not fit what it claims is refused") {
  shard_bench bench(strategy::bsp, 1);
  CHECK_FALSE(bench.pull(0, {5}, 2));
  CHECK_FALSE(bench.pull(0, {5}, std::uint64_t{1} << 61));
  CHECK_FALSE(bench.pull(0, {5, 5}, 2));
}

TEST_CASE("counts and numbers that no body holds are refused") {
  constexpr auto much = ~std::uint64_t{0};
  for (const auto format : {config::value_format::float32, config::value_format::int8})
    for (const auto keys : {std::uint64_t{3}, std::uint64_t{1} << 30, (std::uint64_t{1} << 30) + 1,
                            std::uint64_t{1} << 61, std::uint64_t{1} << 63, much})
      for (const bool sent : {true, false}) {
        CAPTURE(keys);
        shard_bench bench(strategy::async, 1, format);
        mesh::draft<schema::Push> draft;
        draft->setJobId(1);
        draft->setLayout(1);
        auto part = draft->initParts(1)[0];
        part.setCount(1);
        part.setPieces(1);
        part.initPart().initKeys().setCount(keys);
        part.getPart().getKeys().setSent(sent);
        const auto body = mesh::allocate_body(32); // fits none of them
        std::ranges::fill(body.as<std::uint64_t>(0, 4), 5);
        draft.body = body.share();
        CHECK(bench.push_draft(draft).failure().code == errc::malformed_message);
        CHECK(bench.shard->counters().refused == 1);
      }
  shard_bench bench(strategy::bsp, 1);
  CHECK(bench.push_part(0, {}, 2, 0xFFFFFFFF).failure().code == errc::invalid_argument);
  CHECK(bench.push_part(0, {}, 0xFFFFFFFF).failure().code == errc::malformed_message);
  CHECK(bench.push_part(0xFFFFFFFF, {}, 0xFFFFFFFF).failure().code == errc::malformed_message);
  CHECK(bench.shard->counters().pushes == 0);
}

TEST_CASE("a list of parts is refused that is longer than the message that it came in") {
  shard_bench bench(strategy::async, 1);
  const auto pulled = [&](std::uint64_t count) {
    auto f = mesh::draft<schema::Pull>().build(bench.router->local(shard_service), worker_service,
                                               0, mesh::lane::bulk);
    // A root of five data words (job, rank and shard, clock, purpose, layout) and one pointer: to
    // structs of no words, as many as one likes.
    f.metadata = {std::uint64_t{8} << 32,
                  std::uint64_t{5} << 32 | std::uint64_t{1} << 48,
                  1,
                  0,
                  0,
                  0,
                  1,
                  std::uint64_t{7} << 32 | 1,
                  count << 2};
    return bench.shard->pull(bench.as_received<schema::Pull>(std::move(f)));
  };
  CHECK(pulled(9));
  CHECK(pulled(10).failure().code == errc::malformed_message);
  CHECK(pulled(4'000).failure().code == errc::malformed_message);
}

TEST_CASE("who is not a worker of the job may not push") {
  shard_bench bench(strategy::bsp, 2);
  CHECK_FALSE(bench.push({.rank = 7}));
  CHECK_FALSE(bench.push({.job_id = 2}));
}

TEST_CASE("a push that comes in several messages is whole only with its last part") {
  for (const auto s : {strategy::bsp, strategy::async}) {
    shard_bench bench(s, 1);
    REQUIRE(bench.push_part(1, {.sequence = 0}));
    CHECK(bench.shard->clock() == 0);
    REQUIRE(bench.push_part(1, {.sequence = 0}));
    CHECK(bench.shard->counters().repeated_parts == 1);
    REQUIRE(bench.push_part(0, {.sequence = 0}));
    CHECK(bench.shard->clock() == 1);
    CHECK(bench.values() == std::vector<float>{-1, -1, -2, -2});
  }
}

TEST_CASE("under async parts of the next push may overtake, and each is applied once") {
  shard_bench bench(strategy::async, 1);
  REQUIRE(bench.push_part(0, {.sequence = 0}));
  REQUIRE(bench.push_part(1, {.sequence = 1}));
  REQUIRE(bench.push_part(0, {.sequence = 1}));
  CHECK(bench.shard->clock() == 1);
  REQUIRE(bench.push_part(1, {.sequence = 0}));
  REQUIRE(bench.push_part(1, {.sequence = 1}));
  CHECK(bench.shard->clock() == 2);
  CHECK(bench.shard->counters().repeated_parts == 1);
  CHECK(bench.values() == std::vector<float>{-2, -2, -4, -4});
}

TEST_CASE("a push cannot change its number of parts") {
  for (const auto s : {strategy::bsp, strategy::async}) {
    shard_bench bench(s, 1);
    REQUIRE(bench.push_part(0, {}));
    const auto pushed = bench.push_part(1, {}, 3);
    CHECK_FALSE(pushed);
    CHECK(pushed.failure().code == errc::refused);
  }
}

TEST_CASE("a block or part that there is not is refused") {
  shard_bench bench(strategy::async, 1);
  CHECK(bench.push_part(2, {}, 2).failure().code == errc::malformed_message);
  CHECK(bench.push_part(0, {}, 0).failure().code == errc::malformed_message);
  CHECK(bench.push_part(0, {}, 2, 1).failure().code == errc::invalid_argument);
  CHECK(bench.shard->clock() == 0);
}

TEST_CASE("a worker that acts on another layout than the shard is refused") {
  for (const auto s : {strategy::bsp, strategy::async}) {
    shard_bench bench(s, 1);
    for (const std::uint64_t other : {0, 2}) {
      bench.layout = other;
      CHECK(bench.push({}).failure().code == errc::stale_layout);
      CHECK(bench.pull(0, {5}, 1).failure().code == errc::stale_layout);
    }
    bench.layout = 1;
    CHECK(bench.push({}));
  }
}

TEST_CASE("a key list that was sent with its hash may be named by it") {
  std::vector<std::uint64_t> keys(20);
  std::iota(keys.begin(), keys.end(), 5);
  shard_bench bench(strategy::async, 1);
  const auto name = parameters::name_of(keys);
  CHECK(bench.pull_named(keys, name, false).failure().code == errc::unknown_keys);
  REQUIRE(bench.pull_named(keys, name, true));
  bench.answers.clear();
  REQUIRE(bench.pull_named(keys, name, false));
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers.front()->body.bytes.size() == 20 * 2 * sizeof(float));
  // The name is what the shard found the keys to be, whatever the sender said.
  CHECK(bench.pull_named(keys, {name.hash + 1, name.count}, true));
  CHECK(bench.pull_named(keys, {name.hash + 1, name.count}, false).failure().code ==
        errc::unknown_keys);
}

TEST_CASE("the parts of a pull share answers up to the size of two blocks and a thousand of them") {
  shard_bench bench(strategy::async, 1);
  std::vector<std::uint64_t> keys(1024); // 8 KiB with two floats each
  std::iota(keys.begin(), keys.end(), 5);
  const auto name = parameters::name_of(keys);
  REQUIRE(bench.pull_named(keys, name, true));
  const auto answers_to = [&](unsigned blocks, unsigned runs) {
    mesh::draft<schema::Pull> draft;
    draft->setJobId(1);
    draft->setLayout(1);
    auto parts = draft->initParts(blocks + runs);
    for (unsigned i = 0; i < blocks; ++i)
      parts[i].setBlock(0);
    for (unsigned i = blocks; i < blocks + runs; ++i) {
      parts[i].initKeys().setCount(name.count);
      parts[i].getKeys().setHash(name.hash);
    }
    bench.answers.clear();
    REQUIRE(bench.shard->pull(bench.as_received(draft, 0)));
    std::uint32_t number = 0;
    std::vector<std::size_t> counts;
    for (const auto& f : bench.answers) {
      const auto pulled = *message<schema::Pulled>::decode(f);
      std::size_t bytes = 0;
      for (const auto part : (*pulled).getParts()) {
        CHECK(part == number);
        bytes += number++ < blocks ? 8 : 8192;
      }
      CHECK(pulled.body().size() == bytes);
      counts.push_back((*pulled).getParts().size());
    }
    return counts;
  };
  using counts = std::vector<std::size_t>;
  CHECK(answers_to(2100, 0) == counts{1024, 1024, 52});
  CHECK(answers_to(0, 70) == counts{64, 6});
  CHECK(answers_to(5, 64) == counts{68, 1});
}

TEST_CASE("a pull that names keys that nobody has sent is refused, however many it says they are") {
  shard_bench bench(strategy::async, 1);
  for (const auto count :
       {std::uint64_t{1}, std::uint64_t{1} << 30, std::uint64_t{1} << 61, ~std::uint64_t{0}})
    CHECK(bench.pull_named({5}, {99, count}, false).failure().code == errc::unknown_keys);
}

TEST_CASE("under bsp a push brings its keys") {
  shard_bench bench(strategy::bsp, 1);
  mesh::draft<schema::Push> draft;
  draft->setJobId(1);
  draft->setLayout(1);
  auto part = draft->initParts(1)[0];
  part.setCount(1);
  part.setPieces(1);
  auto keys = part.initPart().initKeys();
  keys.setCount(1);
  keys.setHash(99);
  draft.body = mesh::allocate_body(8).share();
  CHECK(bench.push_draft(draft).failure().code == errc::unknown_keys);
}

TEST_CASE("values that travel in fewer bits arrive as the nearest ones") {
  for (const auto format : {config::value_format::float16, config::value_format::int8}) {
    shard_bench bench(strategy::async, 1, format);
    mesh::draft<schema::Push> draft;
    draft->setJobId(1);
    draft->setLayout(1);
    auto part = draft->initParts(1)[0];
    part.setCount(1);
    part.setPieces(1);
    part.initPart().setBlock(0);
    const std::vector<float> gradient{-1, -0.5F};
    const auto travels = job::transfer_format_of(format);
    const auto body = mesh::allocate_body(parameters::encoded_bytes(travels, 2));
    REQUIRE(parameters::encode(travels, gradient, body.bytes));
    draft.body = body.share();
    REQUIRE(bench.push_draft(draft));
    const auto bytes = bench.pulled_block();
    std::vector<float> values(2);
    REQUIRE(parameters::decode(travels, bytes, values));
    CHECK(values[0] == doctest::Approx(1).epsilon(0.01));
    CHECK(values[1] == doctest::Approx(0.5).epsilon(0.01));
    draft.body.bytes = draft.body.bytes.first(3);
    CHECK(bench.push_draft(draft).failure().code == errc::malformed_message);
  }
}
