// What both networks promise: the same tests run over sockets and over memory.

#include "tests/unit/network/test_node.hpp"

#include <atomic>
#include <map>
#include <thread>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::lane;

namespace {

struct sockets {
  std::unique_ptr<network> operator()(network_options o) const {
    return make_socket_network(std::move(o));
  }
};

struct memory {
  std::shared_ptr<memory_hub> hub = std::make_shared<memory_hub>();
  std::unique_ptr<network> operator()(network_options o) const {
    return make_memory_network(hub, std::move(o));
  }
};

std::vector<std::uint64_t> message_ids(const record& r, lane l) {
  std::vector<std::uint64_t> ids;
  for (const auto& f : r.frames)
    if (f->header.lane == l) ids.push_back(f->header.message_id);
  return ids;
}

std::vector<std::uint64_t> count_from(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> ids(count);
  for (std::size_t i = 0; i < count; ++i)
    ids[i] = first + i;
  return ids;
}

} // namespace

TYPE_TO_STRING(sockets);
TYPE_TO_STRING(memory);

TEST_CASE_TEMPLATE("both sides learn who the other is when a link comes up", Make, sockets,
                   memory) {
  const Make make;
  test_node a(make, options(1)), b(make, options(2, 7));
  const auto at = b.listen();
  CHECK(at.port != 0);
  a->connect(at);
  REQUIRE(a.wait_for_up());
  REQUIRE(b.wait_for_up());
  const auto seen_by_a = a.snapshot().ups.at(0), seen_by_b = b.snapshot().ups.at(0);
  CHECK(seen_by_a.identity == b.self());
  CHECK(seen_by_a.name == "node-2");
  CHECK(seen_by_a.remote == at);
  CHECK(seen_by_b.identity == a.self());
  CHECK(seen_by_b.name == "node-1");
  CHECK(seen_by_b.remote.host == "127.0.0.1");
}

TEST_CASE_TEMPLATE("frames arrive in order on each lane, both ways", Make, sockets, memory) {
  const Make make;
  test_node a(make, options(1)), b(make, options(2));
  join(a, b);
  constexpr std::size_t count = 2'000;
  for (std::uint64_t i = 0; i < count; ++i) {
    a.send(b, lane::control, 1 + i, i % 5, 0);
    a.send(b, lane::bulk, 10'000 + i, 3, i % 97 * 1'000);
    b.send(a, lane::bulk, 20'000 + i, 1, 64);
  }
  REQUIRE(b.wait_for_frames(2 * count));
  REQUIRE(a.wait_for_frames(count));
  const auto got = b.snapshot();
  CHECK(message_ids(got, lane::control) == count_from(1, count));
  CHECK(message_ids(got, lane::bulk) == count_from(10'000, count));
  CHECK(message_ids(a.snapshot(), lane::bulk) == count_from(20'000, count));
  std::size_t damaged = 0;
  for (const auto& f : got.frames) {
    const auto id = f->header.message_id;
    const bool bulk = f->header.lane == lane::bulk;
    damaged +=
        bulk ? !is_intact(*f, 3, (id - 10'000) % 97 * 1'000) : !is_intact(*f, (id - 1) % 5, 0);
  }
  CHECK(damaged == 0);
}

TEST_CASE_TEMPLATE("a header arrives with every field as it was sent", Make, sockets, memory) {
  const Make make;
  test_node a(make, options(1, 3)), b(make, options(2));
  join(a, b);
  auto f = std::make_shared<mesh::frame>(*make_frame(a.self(), lane::bulk, 42, 2, 100));
  f->header.view_epoch = 0x0123456789abcdef;
  f->header.in_reply_to = 41;
  f->header.to_service = {mesh::service_kind::server_shard, 3};
  f->header.from_service = {mesh::service_kind::worker, 65'535};
  REQUIRE(a->send(b.self().uuid, f));
  REQUIRE(b.wait_for_frames(1));
  CHECK(b.snapshot().frames[0]->header == f->header);
}

TEST_CASE_TEMPLATE("a body of 64 MiB arrives intact and aligned", Make, sockets, memory) {
  const Make make;
  auto wide = options(1);
  wide.queue_bytes_max = 128u << 20;
  test_node a(make, wide), b(make, options(2));
  join(a, b);
  constexpr std::size_t bytes = 64u << 20;
  a.send(b, lane::bulk, 5, 1'000, bytes);
  a.send(b, lane::bulk, 6, 300'000, 9); // metadata longer than any buffer
  REQUIRE(b.wait_for_frames(2));
  const auto frames = b.snapshot().frames;
  CHECK(is_intact(*frames[0], 1'000, bytes));
  CHECK(is_intact(*frames[1], 300'000, 9));
  CHECK(reinterpret_cast<std::uintptr_t>(frames[0]->body.bytes.data()) % 64 == 0);
  CHECK(b->stats().bytes_received == frames[0]->wire_bytes() + frames[1]->wire_bytes());
}

TEST_CASE_TEMPLATE("a node can answer from within on_frame", Make, sockets, memory) {
  const Make make;
  test_node a(make, options(1)), b(make, options(2));
  b.on_frame = [&](mesh::frame_ptr f) {
    // Cannot fail while the link is up; a lost answer shows below.
    (void)b->send(f->header.from.uuid,
                  make_frame(b.self(), f->header.lane, f->header.message_id + 1));
  };
  join(a, b);
  for (std::uint64_t i = 0; i < 100; ++i)
    a.send(b, lane::control, 2 * i + 1);
  REQUIRE(a.wait_for_frames(100));
  const auto got = a.snapshot().frames;
  for (std::uint64_t i = 0; i < 100; ++i)
    CHECK(got[i]->header.message_id == 2 * i + 2);
}

TEST_CASE_TEMPLATE("a disconnect is told once to each side and frees the way for a new link", Make,
                   sockets, memory) {
  const Make make;
  test_node a(make, options(1)), b(make, options(2));
  const auto at = b.listen();
  a->connect(at);
  REQUIRE(a.wait_for_up());
  REQUIRE(b.wait_for_up());
  a->disconnect(b.self().uuid, {errc::cancelled, "the test says so"});
  REQUIRE(a.wait_for_down());
  REQUIRE(b.wait_for_down());
  const auto down = a.snapshot().downs.at(0);
  CHECK(down.who.identity == b.self());
  CHECK(down.why == error{errc::cancelled, "the test says so"});
  CHECK(b.snapshot().downs.at(0).why.code == errc::node_lost);
  const auto sent = a->send(b.self().uuid, make_frame(a.self(), lane::bulk, 1));
  REQUIRE_FALSE(sent);
  CHECK(sent.failure().code == errc::unreachable);

  a->connect(at);
  REQUIRE(a.wait_for_up(2));
  a.send(b, lane::bulk, 2);
  REQUIRE(b.wait_for_frames(1));
  CHECK(a.snapshot().downs.size() == 1);
  CHECK(b.snapshot().downs.size() == 1);
}

TEST_CASE_TEMPLATE("what was sent before stop arrives, then the peer goes down", Make, sockets,
                   memory) {
  const Make make;
  test_node b(make, options(2));
  {
    test_node a(make, options(1));
    join(a, b);
    for (std::uint64_t i = 0; i < 20; ++i) {
      a.send(b, lane::bulk, i + 1, 2, 1u << 20);
      a.send(b, lane::control, i + 1);
    }
    a->stop(patience);
    CHECK(a.snapshot().downs.empty()); // stop is silent
  }
  REQUIRE(b.wait_for_down());
  CHECK(b.snapshot().frames.size() == 40);
  CHECK(b.snapshot().downs.size() == 1);
}

TEST_CASE_TEMPLATE("dialling an address where nobody listens fails and names it", Make, sockets,
                   memory) {
  const Make make;
  test_node a(make, options(1));
  config::endpoint nobody;
  {
    test_node b(make, options(2));
    nobody = b.listen();
  }
  a->connect(nobody);
  REQUIRE(a.wait_for_failure());
  const auto failure = a.snapshot().failures.at(0);
  CHECK(failure.to == nobody);
  CHECK(failure.why.code == errc::unreachable);
  CHECK(failure.why.text.find(config::to_string(nobody)) != std::string::npos);
  CHECK(failure.why.text.find("Connection refused") != std::string::npos);
}

TEST_CASE_TEMPLATE("a port in use cannot be listened on", Make, sockets, memory) {
  const Make make;
  test_node a(make, options(1)), b(make, options(2));
  const auto taken = a.listen();
  const auto second = b->listen(taken);
  REQUIRE_FALSE(second);
  CHECK(second.failure().code == errc::io_failed);
  CHECK(second.failure().text.find(config::to_string(taken)) != std::string::npos);
  CHECK(second.failure().text.find("Address already in use") != std::string::npos);
}

TEST_CASE_TEMPLATE("a node of another cluster is refused with both names", Make, sockets, memory) {
  const Make make;
  auto other = options(1);
  other.cluster = "elsewhere";
  test_node a(make, other), b(make, options(2));
  a->connect(b.listen());
  REQUIRE(a.wait_for_failure());
  const auto why = a.snapshot().failures.at(0).why;
  CHECK(why.code == errc::incompatible_peer);
  CHECK(why.text.find("'elsewhere'") != std::string::npos);
  CHECK(why.text.find("'gradmesh'") != std::string::npos);
  CHECK(b.snapshot().ups.empty());
}

TEST_CASE_TEMPLATE("a node of another protocol version is refused with both ranges", Make, sockets,
                   memory) {
  const Make make;
  auto other = options(1);
  other.protocols = {2, 5};
  test_node a(make, other), b(make, options(2));
  a->connect(b.listen());
  REQUIRE(a.wait_for_failure());
  const auto why = a.snapshot().failures.at(0).why;
  CHECK(why.code == errc::incompatible_peer);
  CHECK(why.text.find("2..5") != std::string::npos);
  CHECK(why.text.find("1..1") != std::string::npos);
}

TEST_CASE_TEMPLATE("a node that is connected already is refused, its next incarnation replaces it",
                   Make, sockets, memory) {
  const Make make;
  test_node listener(make, options(9));
  const auto at = listener.listen();
  test_node first(make, options(1, 4)), same(make, options(1, 4)), older(make, options(1, 3)),
      next(make, options(1, 5));
  first->connect(at);
  REQUIRE(first.wait_for_up());
  REQUIRE(listener.wait_for_up());
  for (auto* late : {&same, &older}) {
    (*late)->connect(at);
    REQUIRE(late->wait_for_failure());
    CHECK(late->snapshot().failures[0].why.code == errc::refused);
  }
  next->connect(at);
  REQUIRE(next.wait_for_up());
  REQUIRE(first.wait_for_down());
  REQUIRE(listener.wait_for_up(2));
  const auto seen = listener.snapshot();
  REQUIRE(seen.downs.size() == 1);
  CHECK(seen.downs[0].who.identity == first.self());
  CHECK(seen.ups[1].identity == next.self());
}

TEST_CASE_TEMPLATE("a node that dials itself is refused", Make, sockets, memory) {
  const Make make;
  test_node a(make, options(1));
  a->connect(a.listen());
  REQUIRE(a.wait_for_failure());
  CHECK(a.snapshot().failures[0].why.code == errc::refused);
  CHECK(a.snapshot().ups.empty());
}

TEST_CASE_TEMPLATE("two nodes that dial each other get one link", Make, sockets, memory) {
  const Make make;
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    test_node a(make, options(1)), b(make, options(2));
    const auto at_a = a.listen(), at_b = b.listen();
    a->connect(at_b);
    b->connect(at_a);
    REQUIRE(a.wait_for_up());
    REQUIRE(b.wait_for_up());
    // Each call has its outcome: the link is the one that it dialled, or it failed.
    const auto is_decided = [](const config::endpoint& dialled) {
      return [dialled](const record& r) {
        return r.failures.size() == 1 || r.ups.at(0).remote == dialled;
      };
    };
    REQUIRE(a.wait_for(is_decided(at_b)));
    REQUIRE(b.wait_for(is_decided(at_a)));
    CHECK(a.snapshot().failures.size() + b.snapshot().failures.size() == 1);
    a.send(b, lane::control, 1);
    REQUIRE(b.wait_for_frames(1));
    CHECK(a.snapshot().ups.size() == 1);
    CHECK(b.snapshot().downs.empty());
  }
}

TEST_CASE_TEMPLATE("a frame that would break the protocol is refused before it is sent", Make,
                   sockets, memory) {
  const Make make;
  test_node a(make, options(1)), b(make, options(2));
  join(a, b);
  const auto refused = [&](auto damage, errc code) {
    auto f = std::make_shared<mesh::frame>(*make_frame(a.self(), lane::bulk, 1, 2, 8));
    damage(*f);
    const auto sent = a->send(b.self().uuid, f);
    REQUIRE_FALSE(sent);
    CHECK(sent.failure().code == code);
  };
  refused([](mesh::frame& f) { f.header.metadata_bytes = 8; }, errc::invalid_argument);
  refused([](mesh::frame& f) { f.header.body_bytes = 9; }, errc::invalid_argument);
  refused([](mesh::frame& f) { f.header.kind = 1; }, errc::invalid_argument);
  refused([](mesh::frame& f) { f.header.kind = 999; }, errc::invalid_argument);
  refused([](mesh::frame& f) { f.header.from = identity(3); }, errc::invalid_argument);
  refused(
      [](mesh::frame& f) {
        f.metadata.resize(mesh::metadata_bytes_max / 8 + 1);
        f.header.metadata_bytes = static_cast<std::uint32_t>(f.metadata.size() * 8);
      },
      errc::limit_exceeded);
  a.send(b, lane::bulk, 2);
  REQUIRE(b.wait_for_frames(1));
  CHECK(b.snapshot().frames.size() == 1);
}

TEST_CASE_TEMPLATE("frames of many threads arrive complete and in each thread's order", Make,
                   sockets, memory) {
  const Make make;
  test_node a(make, options(1)), b(make, options(2));
  join(a, b);
  constexpr std::uint64_t threads = 4, count = 1'000;
  std::atomic<int> failed{0};
  std::vector<std::thread> senders;
  for (std::uint64_t t = 0; t < threads; ++t)
    senders.emplace_back([&, t] {
      for (std::uint64_t i = 1; i <= count; ++i) {
        auto& from = t % 2 == 0 ? a : b;
        auto& to = t % 2 == 0 ? b : a;
        const auto l = i % 3 == 0 ? lane::control : lane::bulk;
        failed +=
            !from->send(to.self().uuid, make_frame(from.self(), l, t << 32 | i, 2, i % 3'000));
      }
    });
  for (auto& s : senders)
    s.join();
  CHECK(failed == 0);
  for (auto* node : {&a, &b}) {
    REQUIRE(node->wait_for_frames(threads / 2 * count));
    std::map<std::pair<std::uint64_t, lane>, std::uint64_t> last;
    std::size_t wrong = 0;
    for (const auto& f : node->snapshot().frames) {
      const auto id = f->header.message_id & 0xffffffff;
      auto& before = last[{f->header.message_id >> 32, f->header.lane}];
      wrong += !is_intact(*f, 2, id % 3'000) || (before != 0 && id <= before);
      before = id;
    }
    CHECK(wrong == 0);
    CHECK((*node)->stats().frames_received == threads / 2 * count);
  }
}

TEST_CASE_TEMPLATE("nodes may stop while others send to them and dial them", Make, sockets,
                   memory) {
  const Make make;
  for (int round = 0; round < 10; ++round) {
    test_node a(make, options(1));
    auto b = std::make_unique<test_node>(make, options(2));
    const auto at = b->listen();
    a->connect(at);
    REQUIRE(a.wait_for_up());
    std::thread sender([&] {
      for (std::uint64_t i = 1;; ++i)
        if (!a->send(identity(2).uuid, make_frame(a.self(), lane::bulk, i + 1, 2, 5'000))) return;
    });
    std::thread dialer([&] { a->connect(at); });
    b.reset();
    dialer.join();
    REQUIRE(a.wait_for_down());
    sender.join();
  }
}
