/// The proxy with real sockets on loopback. What must *not* arrive is looked for over a short time,
/// which can only make a test pass that ought to fail, never the other way round.

#include "tools/chaos/fault_proxy.hpp"

#include "tests/unit/chaos/tcp_end.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

using namespace gradmesh;
using namespace gradmesh::tools::chaos;
using namespace std::chrono_literals;
using testing::tcp_end;
using testing::tcp_listener;

namespace {

constexpr auto patience = 20s;
constexpr auto a_while = 150ms;

/// Node "a" dials node "b" through the proxy.
struct dialled {
  dialled() {
    auto started = fault_proxy::start([](std::uint16_t, std::uint16_t) { return "a"; });
    REQUIRE(started);
    proxy = std::move(*started);
    const auto door = proxy->door("b");
    REQUIRE(door);
    proxy->aim("b", {"127.0.0.1", b_listens.port()});
    a = tcp_end::dial(door->port);
    b = b_listens.accept(patience);
    REQUIRE(b.is_open());
  }

  tcp_listener b_listens;
  std::unique_ptr<fault_proxy> proxy;
  tcp_end a, b;
};

} // namespace

TEST_CASE("bytes go through both ways, in order and whole") {
  dialled d;
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i)
    text += std::to_string(i) + ",";
  std::thread writer([&] { d.a.send(text); });
  CHECK(d.b.receive(text.size(), patience) == text);
  writer.join();
  d.b.send("back");
  CHECK(d.a.receive(4, patience) == "back");
  CHECK(d.proxy->connections("a") == 1);
  CHECK(d.proxy->connections("b") == 1);
  CHECK(d.proxy->connections("c") == 0);
}

TEST_CASE("a node's door stays the same") {
  dialled d;
  CHECK(*d.proxy->door("b") == *d.proxy->door("b"));
  CHECK(*d.proxy->door("c") != *d.proxy->door("b"));
}

TEST_CASE("the end of a connection goes through, after all that was sent before it") {
  dialled d;
  d.a.send("last words");
  d.a.close();
  CHECK(d.b.receive(10, patience) == "last words");
  CHECK(d.b.ends(patience));
}

TEST_CASE("a way that is held keeps what is sent, and delivers it afterwards") {
  for (const bool at_sender : {true, false}) {
    CAPTURE(at_sender);
    dialled d;
    d.proxy->set(at_sender ? "a" : "b",
                 at_sender ? conditions{.from_held = true} : conditions{.to_held = true});
    d.a.send("hello");
    CHECK(d.b.receive(1, a_while).empty());
    // The other way is open.
    d.b.send("answer");
    CHECK(d.a.receive(6, patience) == "answer");
    d.proxy->set(at_sender ? "a" : "b", {});
    CHECK(d.b.receive(5, patience) == "hello");
  }
}

TEST_CASE("whoever is cut off does not learn of the other's end") {
  dialled d;
  d.proxy->set("b", {.to_held = true, .from_held = true});
  d.b.close();
  CHECK_FALSE(d.a.ends(a_while));
  d.proxy->set("b", {});
  CHECK(d.a.ends(patience));
}

TEST_CASE("a cut breaks the connections of the node at both ends, and new ones go through") {
  for (const std::string node : {"a", "b"}) {
    CAPTURE(node);
    dialled d;
    d.proxy->cut(node);
    CHECK(d.a.ends(patience));
    CHECK(d.b.ends(patience));
    CHECK(d.proxy->connections("a") == 0);
    auto again = tcp_end::dial(d.proxy->door("b")->port);
    auto arrived = d.b_listens.accept(patience);
    again.send("x");
    CHECK(arrived.receive(1, patience) == "x");
  }
}

TEST_CASE("a cut of somebody else changes nothing") {
  dialled d;
  d.proxy->cut("c");
  d.a.send("x");
  CHECK(d.b.receive(1, patience) == "x");
}

TEST_CASE("with a delay each byte arrives so much later") {
  dialled d;
  d.proxy->set("b", {.delay = 200ms});
  const auto began = tools::chaos::clock::now();
  d.a.send("late");
  CHECK(d.b.receive(4, patience) == "late");
  CHECK(tools::chaos::clock::now() - began >= 200ms);
}

TEST_CASE("a rate limits all connections of a node together") {
  dialled d;
  d.proxy->set("b", {.bytes_per_second = 2'000'000});
  auto second = tcp_end::dial(d.proxy->door("b")->port);
  auto arrived = d.b_listens.accept(patience);
  const std::string text(500'000, 'x');
  const auto began = tools::chaos::clock::now();
  std::thread one([&] { d.a.send(text); });
  std::thread two([&] { second.send(text); });
  std::thread reader([&] { CHECK(arrived.receive(text.size(), patience).size() == text.size()); });
  CHECK(d.b.receive(text.size(), patience).size() == text.size());
  reader.join();
  one.join();
  two.join();
  // 1 MB at 2 MB/s, less what the first moment gives.
  CHECK(tools::chaos::clock::now() - began >= 450ms);
}

TEST_CASE("a node that does not listen yet is a connection that ends") {
  auto proxy = fault_proxy::start({});
  REQUIRE(proxy);
  const auto door = (*proxy)->door("b");
  REQUIRE(door);
  CHECK(tcp_end::dial(door->port).ends(patience));
  std::uint16_t nobody = 0;
  {
    tcp_listener gone;
    nobody = gone.port();
  }
  (*proxy)->aim("b", {"127.0.0.1", nobody});
  CHECK(tcp_end::dial(door->port).ends(patience));
}
