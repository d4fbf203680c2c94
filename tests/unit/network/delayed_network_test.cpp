#include "actors/env/network/delayed_network.hpp"
#include "tests/unit/network/test_node.hpp"

#include <deque>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using namespace std::chrono_literals;
using mesh::lane;

namespace {

/// Two nodes on a memory network; what the first sends is delayed until the test lets time pass.
struct slow_link {
  slow_link() : a(make_slow, narrow()), b(make_fast, options(2)) { join(a, b); }

  static network_options narrow() {
    auto o = options(1);
    o.queue_bytes_max = 10'000;
    return o;
  }
  /// What test_node owns, in front of a network that is shared.
  struct owner final : network {
    explicit owner(std::shared_ptr<network> n) : net(std::move(n)) {}
    result<void> start(network_events e) override { return net->start(std::move(e)); }
    result<config::endpoint> listen(const config::endpoint& at) override { return net->listen(at); }
    void connect(const config::endpoint& to) override { net->connect(to); }
    result<void> send(const mesh::node_uuid& to, mesh::frame_ptr f) override {
      return net->send(to, std::move(f));
    }
    void disconnect(const mesh::node_uuid& p, error why) override { net->disconnect(p, why); }
    bool post(std::function<void()> task) override { return net->post(std::move(task)); }
    void stop(std::chrono::milliseconds linger) override { net->stop(linger); }
    network_stats stats() const override { return net->stats(); }
    std::shared_ptr<network> net;
  };

  /// Lets the tasks that were asked for first run.
  void pass(std::size_t tasks) {
    for (; tasks > 0 && !timers.empty(); --tasks) {
      const auto task = std::move(timers.front().second);
      timers.pop_front();
      task();
    }
  }
  std::vector<std::uint64_t> arrived() {
    std::vector<std::uint64_t> ids;
    for (const auto& f : b.snapshot().frames)
      ids.push_back(f->header.message_id);
    return ids;
  }
  result<void> send(lane on, std::uint64_t id, std::size_t bytes = 0) {
    return a->send(b.self().uuid, make_frame(a.self(), on, id, 2, bytes));
  }

  std::shared_ptr<memory_hub> hub = std::make_shared<memory_hub>();
  std::deque<std::pair<std::chrono::milliseconds, std::function<void()>>> timers;
  test_node::network_factory make_fast = [this](network_options o) {
    return make_memory_network(hub, std::move(o));
  };
  test_node::network_factory make_slow = [this](network_options o) {
    return std::make_unique<owner>(
        make_delayed_network(make_memory_network(hub, o), o, 7ms,
                             [this](std::chrono::milliseconds after, std::function<void()> task) {
                               timers.emplace_back(after, std::move(task));
                             }));
  };
  test_node a, b;
};

} // namespace

TEST_CASE_FIXTURE(slow_link, "a frame arrives when its delay has passed, and in order") {
  for (std::uint64_t id = 1; id <= 3; ++id)
    REQUIRE(send(id == 2 ? lane::control : lane::bulk, id));
  CHECK(arrived().empty());
  REQUIRE(timers.size() == 3);
  for (const auto& [after, task] : timers)
    CHECK(after == 7ms);
  CHECK(a->stats().queued_bytes > 0);
  pass(1);
  CHECK(arrived() == std::vector<std::uint64_t>{1});
  pass(2);
  CHECK(arrived() == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(a->stats().queued_bytes == 0);
}

TEST_CASE_FIXTURE(slow_link, "timers that come out of order do not change the order of frames") {
  for (std::uint64_t id = 1; id <= 3; ++id)
    REQUIRE(send(lane::bulk, id));
  std::swap(timers[0], timers[2]);
  pass(3);
  CHECK(arrived() == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE_FIXTURE(slow_link, "what waits for its delay is bounded") {
  std::size_t accepted = 0;
  for (;; ++accepted)
    if (auto sent = send(lane::bulk, accepted + 1, 2'000); !sent) {
      CHECK(sent.failure().code == errc::retry_later);
      break;
    }
  CHECK(accepted == 4); // of 2112 bytes each
  CHECK(a->stats().sends_refused == 1);
  pass(1);
  CHECK(send(lane::bulk, 9, 2'000));
}

TEST_CASE_FIXTURE(slow_link, "frames are lost with the peer that they were for") {
  REQUIRE(send(lane::bulk, 1));
  b->stop(0ms);
  REQUIRE(a.snapshot().downs.size() == 1);
  CHECK(send(lane::bulk, 2).failure().code == errc::unreachable);
  pass(2);
  CHECK(a->stats().queued_bytes == 0);
}

TEST_CASE_FIXTURE(slow_link, "a network that stops lets go of what it holds") {
  REQUIRE(send(lane::control, 1));
  REQUIRE(send(lane::control, 2));
  a->stop(0ms);
  CHECK(arrived() == std::vector<std::uint64_t>{1, 2});
  pass(2); // the timers come too late and do nothing
  CHECK(arrived().size() == 2);
}
