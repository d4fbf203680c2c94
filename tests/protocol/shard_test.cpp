/// What a shard does with requests that it should not carry out.

#include "actors/server_shard/shard_job.hpp"

#include "actors/env/network/memory_network.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <deque>
#include <limits>
#include <numeric>

using namespace gradmesh;
using mesh::message;

namespace {

constexpr mesh::service_id worker_service{mesh::service_kind::worker, 0};
constexpr mesh::service_id shard_service{mesh::service_kind::server_shard, 0};

/// One shard and its workers, all on one router, so that answers come back at once.
struct shard_bench {
  static std::shared_ptr<mesh::router> lone_router() {
    env::network_options links;
    links.self = {{1}, 1};
    links.node_name = "test";
    const auto hub = std::make_shared<env::memory_hub>();
    return std::make_shared<mesh::router>(
        links.self, std::shared_ptr<env::network>(env::make_memory_network(hub, links)));
  }

  explicit shard_bench(config::strategy strategy, std::size_t workers = 2,
                       config::value_format format = config::value_format::float32)
      : router(lone_router()) {
    job::job_plan plan;
    plan.job_id = 1;
    plan.config = *config::parse_job("[data]\nformat = debian-packages\n[optimizer]\ntype = sgd\n"
                                     "learning_rate = 1\n",
                                     "test")
                       .value;
    plan.config.job.strategy = strategy;
    plan.config.job.push_as = plan.config.job.pull_as = format;
    shard_format = job::transfer_format_of(format);
    plan.shape = {learning::layout::sparse, 100, 2};
    plan.tables = {{"weights", learning::table_kind::sparse, 2},
                   {"bias", learning::table_kind::dense, 2}};
    plan.partitions = 4;
    plan.shards = {{router->local(shard_service), "shard"}};
    for (std::uint16_t w = 0; w < workers; ++w) {
      const mesh::service_id service{mesh::service_kind::worker, w};
      plan.workers.push_back({router->local(service), "worker"});
      router->bind(service, [this](const mesh::frame_ptr& f) {
        answers.push_back(f);
        return result<void>();
      });
    }
    plan.data_servers = {{router->local({mesh::service_kind::data_server, 0}), "data"}};
    plan.pieces = static_cast<std::uint32_t>(workers);
    plan.steps_per_epoch = plan.steps = 10;
    auto made = server_shard::shard_job::make(plan, plan_epoch, 0, router);
    REQUIRE(made);
    shard = std::move(*made);
  }

  struct push_content {
    std::uint32_t rank = 0;
    std::uint64_t sequence = 0;
    std::vector<std::uint64_t> keys{5};
    std::vector<float> values{1, 1, 2, 2}; // bias, then the row
    std::uint64_t read_clock = 0;
    std::uint64_t job_id = 1;
  };

  template <class T>
  message<T> as_received(mesh::draft<T>& draft, std::uint32_t rank) {
    const mesh::service_id from{mesh::service_kind::worker, static_cast<std::uint16_t>(rank)};
    return as_received<T>(draft.build(router->local(shard_service), from, 0, mesh::lane::bulk));
  }

  template <class T>
  message<T> as_received(mesh::frame frame) {
    frame.header.from = router->self();
    frame.header.message_id = 1;
    frame.header.view_epoch = epoch;
    auto decoded = message<T>::decode(std::make_shared<const mesh::frame>(std::move(frame)));
    REQUIRE(decoded);
    return *decoded;
  }

  /// The bias as part 0 and the rows of the keys as part 1, in one message.
  result<void> push(const push_content& p) {
    mesh::draft<schema::Push> draft;
    draft->setJobId(p.job_id);
    draft->setRank(p.rank);
    auto parts = draft->initParts(2);
    for (unsigned i = 0; i < 2; ++i) {
      parts[i].setSequence(p.sequence);
      parts[i].setReadClock(p.read_clock);
      parts[i].setNumber(i);
      parts[i].setCount(2);
    }
    parts[0].initPart().setBlock(0);
    auto keys = parts[1].initPart().initKeys();
    keys.setCount(p.keys.size());
    keys.setSent(true);
    const auto body = mesh::allocate_body(p.keys.size() * 8 + p.values.size() * 4);
    const auto bias = std::min<std::size_t>(2, p.values.size());
    std::copy_n(p.values.begin(), bias, body.as<float>(0, bias).begin());
    std::copy(p.keys.begin(), p.keys.end(), body.as<std::uint64_t>(8, p.keys.size()).begin());
    std::copy(p.values.begin() + static_cast<std::ptrdiff_t>(bias), p.values.end(),
              body.as<float>(8 + p.keys.size() * 8, p.values.size() - bias).begin());
    draft.body = body.share();
    return shard->push(as_received(draft, p.rank));
  }

  /// One of the two parts that `push` sends, in a message of its own.
  result<void> push_part(std::uint32_t number, const push_content& p, std::uint32_t count = 2,
                         std::uint32_t block = 0) {
    mesh::draft<schema::Push> draft;
    draft->setJobId(p.job_id);
    draft->setRank(p.rank);
    auto part = draft->initParts(1)[0];
    part.setSequence(p.sequence);
    part.setReadClock(p.read_clock);
    part.setNumber(number);
    part.setCount(count);
    const bool dense = number == 0;
    const auto body = mesh::allocate_body(dense ? 8 : 16);
    if (dense) {
      part.initPart().setBlock(block);
    } else {
      auto keys = part.initPart().initKeys();
      keys.setCount(1);
      keys.setSent(true);
      body.as<std::uint64_t>(0, 1)[0] = p.keys[0];
    }
    std::copy_n(p.values.begin() + (dense ? 0 : 2), 2, body.as<float>(dense ? 0 : 8, 2).begin());
    draft.body = body.share();
    return shard->push(as_received(draft, p.rank));
  }

  result<void> pull(std::uint64_t clock, const std::vector<std::uint64_t>& keys,
                    std::uint64_t claimed_keys) {
    mesh::draft<schema::Pull> draft;
    draft->setJobId(1);
    draft->setClock(clock);
    auto parts = draft->initParts(2);
    parts[0].setBlock(0);
    parts[1].initKeys().setCount(claimed_keys);
    parts[1].getKeys().setSent(true);
    const auto body = mesh::allocate_body(keys.size() * 8);
    std::copy(keys.begin(), keys.end(), body.as<std::uint64_t>(0, keys.size()).begin());
    draft.body = body.share();
    return shard->pull(as_received(draft, 0));
  }

  result<void> push_draft(mesh::draft<schema::Push>& draft) {
    return shard->push(as_received(draft, 0));
  }

  /// Pulls the rows of some keys, with or without sending the keys.
  result<void> pull_named(const std::vector<std::uint64_t>& keys,
                          const parameters::key_list_name& name, bool send_keys) {
    mesh::draft<schema::Pull> draft;
    draft->setJobId(1);
    auto list = draft->initParts(1)[0].initKeys();
    list.setCount(name.count);
    list.setHash(name.hash);
    list.setSent(send_keys);
    const auto body = mesh::allocate_body(keys.size() * 8);
    std::copy(keys.begin(), keys.end(), body.as<std::uint64_t>(0, keys.size()).begin());
    if (send_keys) draft.body = body.share();
    return shard->pull(as_received(draft, 0));
  }

  /// The dense block as it travels.
  std::span<const std::byte> pulled_block() {
    mesh::draft<schema::Pull> draft;
    draft->setJobId(1);
    draft->initParts(1)[0].setBlock(0);
    answers.clear();
    REQUIRE(shard->pull(as_received(draft, 0)));
    const auto format = shard_format;
    return answers.front()->body.bytes.first(parameters::encoded_bytes(format, 2));
  }

  /// Bias and row 5 as a pull sees them now.
  std::vector<float> values() {
    answers.clear();
    REQUIRE(pull(0, {5}, 1));
    REQUIRE(answers.size() == 1);
    const auto bytes = answers.front()->body.bytes;
    const auto* first = reinterpret_cast<const float*>(bytes.data());
    return {first, first + bytes.size() / sizeof(float)};
  }

  static constexpr std::uint64_t plan_epoch = 7;
  std::uint64_t epoch = plan_epoch; // of what is sent
  parameters::transfer_format shard_format{};
  std::deque<mesh::frame_ptr> answers;
  std::shared_ptr<mesh::router> router;
  std::unique_ptr<server_shard::shard_job> shard;
};

using strategy = config::strategy;

} // namespace

TEST_CASE("bsp applies a step when all workers have pushed it, and not before") {
  shard_bench bench(strategy::bsp);
  REQUIRE(bench.push({.rank = 1}));
  CHECK(bench.values() == std::vector<float>{0, 0, 0, 0});
  REQUIRE(bench.push({.rank = 0}));
  CHECK(bench.values() == std::vector<float>{-2, -2, -4, -4});
  CHECK(bench.shard->counters().updates == 1);
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
        auto part = draft->initParts(1)[0];
        part.setCount(1);
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
    // A root of three data words and one pointer: to structs of no words, as many as one likes.
    f.metadata = {std::uint64_t{6} << 32,
                  std::uint64_t{3} << 32 | std::uint64_t{1} << 48,
                  1,
                  0,
                  0,
                  std::uint64_t{7} << 32 | 1,
                  count << 2};
    return bench.shard->pull(bench.as_received<schema::Pull>(std::move(f)));
  };
  CHECK(pulled(7));
  CHECK(pulled(8).failure().code == errc::malformed_message);
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
    CHECK(bench.shard->counters().updates == 0);
    REQUIRE(bench.push_part(1, {.sequence = 0}));
    CHECK(bench.shard->counters().repeated_parts == 1);
    REQUIRE(bench.push_part(0, {.sequence = 0}));
    CHECK(bench.shard->counters().updates == 1);
    CHECK(bench.values() == std::vector<float>{-1, -1, -2, -2});
  }
}

TEST_CASE("under async parts of the next push may overtake, and each is applied once") {
  shard_bench bench(strategy::async, 1);
  REQUIRE(bench.push_part(0, {.sequence = 0}));
  REQUIRE(bench.push_part(1, {.sequence = 1}));
  REQUIRE(bench.push_part(0, {.sequence = 1}));
  CHECK(bench.shard->counters().updates == 1);
  REQUIRE(bench.push_part(1, {.sequence = 0}));
  REQUIRE(bench.push_part(1, {.sequence = 1}));
  CHECK(bench.shard->counters().updates == 2);
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
  CHECK(bench.shard->counters().updates == 0);
}

TEST_CASE("a worker that acts on an older view than the job's is refused") {
  for (const auto s : {strategy::bsp, strategy::async}) {
    shard_bench bench(s, 1);
    bench.epoch = shard_bench::plan_epoch - 1;
    CHECK(bench.push({}).failure().code == errc::refused);
    CHECK(bench.pull(0, {5}, 1).failure().code == errc::refused);
    bench.epoch = shard_bench::plan_epoch + 1;
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

TEST_CASE("under bsp a push brings its keys") {
  shard_bench bench(strategy::bsp, 1);
  mesh::draft<schema::Push> draft;
  draft->setJobId(1);
  auto part = draft->initParts(1)[0];
  part.setCount(1);
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
    auto part = draft->initParts(1)[0];
    part.setCount(1);
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
