/// A worker's requests to a shard that answers as the test wants.

#include "actors/defaults.hpp"
#include "actors/worker/parameter_client.hpp"

#include "actors/env/network/memory_network.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <numeric>

using namespace gradmesh;
using mesh::message;
using worker::parameter_client;

namespace {

constexpr mesh::service_id worker_service{mesh::service_kind::worker, 0};
constexpr mesh::service_id shard_service{mesh::service_kind::server_shard, 0};
const env::time_point start{};

/// A client and the shard at the other end of its router, which keeps what it was asked.
struct client_bench {
  explicit client_bench(std::uint64_t dense_floats,
                        config::strategy strategy = config::strategy::async) {
    env::network_options links;
    links.self = {{1}, 1};
    const auto hub = std::make_shared<env::memory_hub>();
    router = std::make_shared<mesh::router>(
        links.self, std::shared_ptr<env::network>(env::make_memory_network(hub, links)));
    plan.job_id = 1;
    plan.config = *config::parse_job("[data]\nformat = debian-packages\n", "test").value;
    plan.config.job.strategy = strategy;
    plan.tables = {{"w", learning::table_kind::sparse, 1}};
    if (dense_floats > 0) plan.tables.push_back({"b", learning::table_kind::dense, dense_floats});
    plan.partitions = 1;
    plan.layout = job::unreplicated({{router->local(shard_service), "server-0"}});
    plan.workers = {{router->local(worker_service), "worker-0"}};
    slicer.emplace(plan.tables, *job::make_partition_map(plan));
    client.emplace(plan, 0, worker_service, *router, slicer->layout());
    router->bind(shard_service, [this](const mesh::frame_ptr& f) {
      asked.push_back(f);
      return result<void>();
    });
    router->bind(worker_service, [this](const mesh::frame_ptr& f) {
      answered.push_back(f);
      return result<void>();
    });
  }

  std::shared_ptr<const parameters::slice> slice(const std::vector<std::uint64_t>& keys) const {
    return std::make_shared<const parameters::slice>(slicer->cut(keys)[0]);
  }

  /// Pushes zeros.
  void push(std::uint64_t sequence, const std::vector<std::uint64_t>& keys) {
    const auto what = slice(keys);
    std::vector<parameter_client::part_body> bodies;
    for (const auto& part : what->parts) {
      const auto run = part.dense ? 0 : part.elements.size();
      bodies.push_back(mesh::allocate_body(run * 8 + parameters::part_floats(part, 1) * 4));
    }
    client->push(0, {.sequence = sequence}, what, std::move(bodies),
                 [this, sequence](std::uint64_t) { pushed.push_back(sequence); });
  }

  void refuse(const mesh::frame_ptr& request, errc code) {
    REQUIRE(router->reply_to(request->header, mesh::make_refusal({code, "because"})));
  }
  void acknowledge(const mesh::frame_ptr& request) {
    const auto push = *message<schema::Push>::decode(request);
    const auto count = (*push).getParts().size();
    mesh::draft<schema::Pushed> answer;
    auto parts = answer->initParts(count);
    answer->initStaleness(count);
    for (unsigned i = 0; i < count; ++i)
      parts.set(i, i);
    REQUIRE(router->reply_to(request->header, answer));
  }

  /// Hands the answers to the client.
  result<void> hear() {
    for (auto& f : std::exchange(answered, {})) {
      auto went = f->header.kind == mesh::message_traits<schema::Refusal>::kind
                      ? client->on_refused(*message<schema::Refusal>::decode(f))
                  : f->header.kind == mesh::message_traits<schema::Pushed>::kind
                      ? client->on_pushed(*message<schema::Pushed>::decode(f))
                      : client->on_pulled(*message<schema::Pulled>::decode(f));
      if (!went) return went;
    }
    return {};
  }

  std::shared_ptr<mesh::router> router;
  job::job_plan plan;
  std::optional<parameters::slicer> slicer;
  std::optional<parameter_client> client;
  std::deque<mesh::frame_ptr> asked;
  std::deque<mesh::frame_ptr> answered;
  std::vector<std::uint64_t> pushed;
};

std::vector<std::uint64_t> some_keys(std::size_t count) {
  std::vector<std::uint64_t> keys(count);
  std::iota(keys.begin(), keys.end(), 1);
  return keys;
}

bool has_keys(const mesh::frame_ptr& push) {
  const auto decoded = *message<schema::Push>::decode(push);
  return (*decoded).getParts()[0].getPart().getKeys().getSent();
}

} // namespace

TEST_CASE("small pushes that are wanted at once share a message, and each is told of its end") {
  client_bench bench(0);
  for (std::uint64_t sequence = 0; sequence < 100; ++sequence)
    bench.push(sequence, {sequence});
  REQUIRE(bench.client->advance(start));
  REQUIRE(bench.asked.size() == 1);
  CHECK(bench.client->oldest());
  bench.acknowledge(bench.asked[0]);
  REQUIRE(bench.hear());
  CHECK(bench.pushed.size() == 100);
  CHECK_FALSE(bench.client->oldest());
}

TEST_CASE("where checkpoints are made, pushes that one may cut apart do not share a message") {
  client_bench bench(0);
  bench.plan.config.checkpoint.folder = "checkpoints";
  for (std::uint64_t sequence = 0; sequence < 3; ++sequence)
    bench.push(sequence, {sequence});
  REQUIRE(bench.client->advance(start));
  CHECK(bench.asked.size() == 3);
}

TEST_CASE("small parts share a message up to the size of two blocks and a thousand of them") {
  const auto parts_sent = [](std::uint64_t dense_floats, std::uint64_t pushes) {
    client_bench bench(dense_floats);
    for (std::uint64_t sequence = 0; sequence < pushes; ++sequence)
      bench.push(sequence,
                 dense_floats == 0 ? std::vector{sequence} : std::vector<std::uint64_t>{});
    REQUIRE(bench.client->advance(start));
    std::vector<std::size_t> parts;
    for (const auto& f : bench.asked) {
      parts.push_back((**message<schema::Push>::decode(f)).getParts().size());
      bench.acknowledge(f);
    }
    REQUIRE(bench.hear());
    CHECK(bench.pushed.size() == pushes);
    return parts;
  };
  using counts = std::vector<std::size_t>;
  CHECK(parts_sent(0, 2100) == counts{1024, 1024, 52});
  CHECK(parts_sent(4096, 40) == counts{32, 8}); // of 16 KiB
  CHECK(parts_sent(16384, 10) == counts{8, 2}); // of 64 KiB
  CHECK(parts_sent(16385, 3) == counts{1, 1, 1});
}

TEST_CASE("a part that is too large to be copied goes by itself, in its turn") {
  client_bench bench(25'600); // 100 KiB
  for (std::uint64_t sequence = 0; sequence < 3; ++sequence)
    bench.push(sequence, {1});
  REQUIRE(bench.client->advance(start));
  std::vector<std::size_t> bytes;
  for (const auto& f : bench.asked)
    bytes.push_back(f->body.bytes.size());
  constexpr std::size_t row = sizeof(std::uint64_t) + sizeof(float);
  CHECK(bytes == std::vector<std::size_t>{102'400, row, 102'400, row, 102'400, row});
}

TEST_CASE("what is on its way to a shard is bounded, and goes on as answers come") {
  client_bench bench(200 * parameters::dense_block_floats);
  bench.push(0, {});
  REQUIRE(bench.client->advance(start));
  CHECK(bench.asked.size() == 128); // blocks of 256 KiB
  bench.acknowledge(bench.asked[0]);
  bench.acknowledge(bench.asked[1]);
  REQUIRE(bench.hear());
  REQUIRE(bench.client->advance(start));
  CHECK(bench.asked.size() == 130);
  CHECK(bench.pushed.empty());
  for (std::size_t i = 2; i < bench.asked.size(); ++i) {
    bench.acknowledge(bench.asked[i]);
    REQUIRE(bench.hear());
    REQUIRE(bench.client->advance(start));
  }
  CHECK(bench.asked.size() == 200);
  CHECK(bench.pushed == std::vector<std::uint64_t>{0});
}

TEST_CASE("the front of a model goes with a higher priority than its end") {
  client_bench bench(30 * parameters::dense_block_floats);
  bench.push(0, {});
  REQUIRE(bench.client->advance(start));
  REQUIRE(bench.asked.size() == 30);
  CHECK(bench.asked.front()->header.priority == 1);
  CHECK(bench.asked.back()->header.priority == mesh::priority_max);
}

TEST_CASE("a request that a shard cannot take now is sent again a little later") {
  client_bench bench(0);
  bench.push(0, {7});
  REQUIRE(bench.client->advance(start));
  bench.refuse(bench.asked[0], errc::retry_later);
  REQUIRE(bench.hear());
  REQUIRE(bench.client->advance(start));
  REQUIRE(bench.client->advance(start + std::chrono::milliseconds(9)));
  CHECK(bench.asked.size() == 1);
  REQUIRE(bench.client->advance(start + std::chrono::milliseconds(10)));
  REQUIRE(bench.asked.size() == 2);
  CHECK(bench.client->traffic().retries == 1);
  bench.acknowledge(bench.asked[1]);
  REQUIRE(bench.hear());
  CHECK(bench.pushed == std::vector<std::uint64_t>{0});
}

TEST_CASE("a request that is refused for its layout has its answer: it waits for the next one") {
  client_bench bench(0);
  bench.push(0, {7});
  REQUIRE(bench.client->advance(start));
  REQUIRE(bench.client->oldest());
  bench.refuse(bench.asked[0], errc::stale_layout);
  REQUIRE(bench.hear());
  CHECK_FALSE(bench.client->oldest());
  const auto later = start + std::chrono::seconds(1);
  REQUIRE(bench.client->advance(later));
  REQUIRE(bench.client->advance(later + defaults::worker::pause_when_stale));
  REQUIRE(bench.asked.size() == 2);
  CHECK(bench.client->oldest()->since > start);
}

TEST_CASE("any other refusal is an error that names the request") {
  client_bench bench(0);
  bench.push(3, {7});
  REQUIRE(bench.client->advance(start));
  bench.refuse(bench.asked[0], errc::invalid_argument);
  const auto heard = bench.hear();
  REQUIRE_FALSE(heard);
  CHECK(heard.failure().code == errc::invalid_argument);
  CHECK(heard.failure().text == "the push of step 3 by shard 0 on 'server-0' refused: because");
}

TEST_CASE("keys that were sent before stay at home, until the shard has forgotten them") {
  client_bench bench(0);
  const auto keys = some_keys(100);
  bench.push(0, keys);
  REQUIRE(bench.client->advance(start));
  CHECK(has_keys(bench.asked[0]));
  CHECK(bench.asked[0]->body.bytes.size() == 100 * 12);
  bench.acknowledge(bench.asked[0]);
  REQUIRE(bench.hear());

  bench.push(1, keys);
  REQUIRE(bench.client->advance(start));
  CHECK_FALSE(has_keys(bench.asked[1]));
  CHECK(bench.asked[1]->body.bytes.size() == 100 * 4);
  bench.refuse(bench.asked[1], errc::unknown_keys);
  REQUIRE(bench.hear());
  REQUIRE(bench.client->advance(start));
  REQUIRE(bench.asked.size() == 3);
  CHECK(has_keys(bench.asked[2]));
  CHECK(bench.asked[2]->body.bytes.size() == 100 * 12);
  bench.acknowledge(bench.asked[2]);
  REQUIRE(bench.hear());
  CHECK(bench.pushed == std::vector<std::uint64_t>{0, 1});
}

TEST_CASE("under bsp keys always travel, for the shard sums over workers") {
  client_bench bench(0, config::strategy::bsp);
  for (std::uint64_t step = 0; step < 2; ++step) {
    bench.push(step, some_keys(100));
    REQUIRE(bench.client->advance(start));
    CHECK(has_keys(bench.asked[step]));
    bench.acknowledge(bench.asked[step]);
    REQUIRE(bench.hear());
  }
}

TEST_CASE("an answer that does not fit its request is an error, and one to nothing is ignored") {
  client_bench bench(0);
  bench.client->pull(0, {}, bench.slice({1, 2, 3}), [](auto&&...) {});
  REQUIRE(bench.client->advance(start));
  mesh::draft<schema::Pulled> answer;
  answer->initParts(1);
  answer.body = mesh::allocate_body(12).share();
  SUBCASE("a part that was not asked for") {
    answer->getParts().set(0, 1);
  }
  SUBCASE("a body that is too short") {
    answer.body.bytes = answer.body.bytes.first(8);
  }
  SUBCASE("the same part twice") {
    answer->initParts(2);
    answer.body = mesh::allocate_body(40).share();
  }
  auto header = bench.asked[0]->header;
  header.message_id += 1'000;
  REQUIRE(bench.router->reply_to(header, answer));
  CHECK(bench.hear());
  REQUIRE(bench.router->reply_to(bench.asked[0]->header, answer));
  CHECK(bench.hear().failure().code == errc::malformed_message);
}
