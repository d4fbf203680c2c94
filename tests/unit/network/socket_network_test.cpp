// What only sockets can show: dialling somebody who is no proper listener, addresses.

#include "tests/unit/network/raw_peer.hpp"
#include "tests/unit/network/test_node.hpp"

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::lane;

namespace {

const greeting other{identity(2), {}, "gradmesh", "other", {mesh::role::worker}, {}};

error failure_of(test_node& node) {
  REQUIRE(node.wait_for_failure());
  return node.snapshot().failures.at(0).why;
}

} // namespace

TEST_CASE("dialling a listener that says nothing fails after the handshake time-out") {
  auto o = options(1);
  o.handshake_timeout = std::chrono::milliseconds(50);
  test_node node(make_socket_network, o);
  raw_listener listener;
  node->connect(listener.at());
  auto peer = listener.accept();
  const auto why = failure_of(node);
  CHECK(why.code == errc::timed_out);
  CHECK(why.text.find(config::to_string(listener.at())) != std::string::npos);
  CHECK(why.text.find("50 ms") != std::string::npos);
}

TEST_CASE("dialling a listener that closes at once fails") {
  test_node node(make_socket_network, options(1));
  raw_listener listener;
  node->connect(listener.at());
  { auto peer = listener.accept(); }
  CHECK(failure_of(node).code == errc::unreachable);
}

TEST_CASE("dialling a server of another kind fails and says so") {
  test_node node(make_socket_network, options(1));
  raw_listener listener;
  node->connect(listener.at());
  auto peer = listener.accept();
  peer.send("220 mail.example.org ESMTP\r\n");
  const auto why = failure_of(node);
  CHECK(why.code == errc::incompatible_peer);
  CHECK(why.text.find("does not speak the Gradmesh protocol") != std::string::npos);
}

TEST_CASE("the listener's reason for a refusal reaches the dialer in printable form") {
  test_node node(make_socket_network, options(1));
  raw_listener listener;
  node->connect(listener.at());
  auto peer = listener.accept();
  REQUIRE(peer.receive());
  SUBCASE("a code that is known") {
    peer.send(*make_refuse(other, lane::control, {errc::limit_exceeded, "full\x07house"}));
    const auto why = failure_of(node);
    CHECK(why.code == errc::limit_exceeded);
    CHECK(why.text.find("full?house") != std::string::npos);
  }
  SUBCASE("a code of a later release") {
    peer.send(*make_refuse(other, lane::control, {static_cast<errc>(999), "because"}));
    CHECK(failure_of(node).code == errc::refused);
  }
}

TEST_CASE("a listener whose lanes answer as two nodes is not believed") {
  test_node node(make_socket_network, options(1));
  raw_listener listener;
  node->connect(listener.at());
  auto control = listener.accept();
  REQUIRE(control.receive());
  control.send(*make_welcome(other, lane::control, 1));
  auto bulk = listener.accept();
  const auto hello = bulk.receive();
  REQUIRE(hello);
  CHECK(hello->header.lane == lane::bulk);
  auto someone_else = other;
  someone_else.identity.incarnation = 2;
  bulk.send(*make_welcome(someone_else, lane::bulk, 1));
  CHECK(failure_of(node).code == errc::incompatible_peer);
  CHECK(control.is_closed_by_peer());
}

TEST_CASE("a listener that chooses a version that was not offered is not believed") {
  test_node node(make_socket_network, options(1));
  raw_listener listener;
  node->connect(listener.at());
  auto control = listener.accept();
  REQUIRE(control.receive());
  control.send(*make_welcome(other, lane::control, 3));
  CHECK(failure_of(node).code == errc::incompatible_peer);
}

TEST_CASE("a host name that does not resolve is an error for dialling and listening") {
  test_node node(make_socket_network, options(1));
  const config::endpoint nowhere{"no-such-host.invalid", 1};
  const auto bound = node->listen(nowhere);
  REQUIRE_FALSE(bound);
  CHECK(bound.failure().code == errc::io_failed);
  node->connect(nowhere);
  const auto why = failure_of(node);
  CHECK((why.code == errc::unreachable || why.code == errc::timed_out));
  CHECK(why.text.find("no-such-host.invalid") != std::string::npos);
}

TEST_CASE("nodes meet over IPv6 and by name") {
  for (const auto* host : {"::1", "localhost"}) {
    CAPTURE(host);
    test_node a(make_socket_network, options(1)), b(make_socket_network, options(2));
    const auto bound = b->listen({host, 0});
    if (!bound) {
      MESSAGE("skipped: " << bound.failure().text);
      continue;
    }
    a->connect({host, bound->port});
    CHECK(a.wait_for_up());
  }
}

TEST_CASE("a network that was stopped refuses to send and delivers no events") {
  test_node a(make_socket_network, options(1)), b(make_socket_network, options(2));
  join(a, b);
  a->stop(std::chrono::milliseconds(0));
  a->stop(std::chrono::milliseconds(0));
  CHECK_FALSE(a->send(b.self().uuid, make_frame(a.self(), lane::bulk, 1)));
  a->connect({"127.0.0.1", 1});
  REQUIRE(b.wait_for_down());
  CHECK(a.snapshot().downs.empty());
  CHECK(a.snapshot().failures.empty());
}
