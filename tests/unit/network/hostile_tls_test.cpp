// Who may not join a mesh with TLS, and what a member with a good certificate may not do: over the
// real network, both sides' words on it.

#include "tests/unit/network/listening_node.hpp"
#include "tests/unit/network/tls_support.hpp"

#include "schema/message.capnp.h"

#include <poll.h>

#include <thread>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::lane;
using mesh::role;

namespace {

constexpr auto view = static_cast<std::uint16_t>(schema::MessageKind::VIEW);

network_options member(std::uint8_t number, std::shared_ptr<const tls_context> tls,
                       std::uint64_t incarnation = 1) {
  auto o = options(number, incarnation);
  o.cluster = cluster;
  if (tls) {
    o.node_name = tls->own().node_name;
    o.roles = tls->own().roles;
  }
  o.tls = std::move(tls);
  return o;
}

/// A node that shows one CA's certificate and believes two.
std::shared_ptr<const tls_context> trusting_both(const authority& own, const authority& other,
                                                 const std::string& name) {
  memory_disk disk;
  put(disk, own, own.node(name));
  REQUIRE(disk.write("ca.crt", own.files().certificate + other.files().certificate));
  auto made = tls_context::make(settings_in_memory(), disk);
  REQUIRE(made);
  return *made;
}

/// What a node with TLS makes of a dialer that is refused.
struct tls_bench {
  tls_bench() : l(member(1, context_of(ca, ca.node("head", {role::coordinator})))) {}

  error dial(network_options o) {
    test_node dialer(make_socket_network, std::move(o));
    dialer->connect(l.at);
    REQUIRE(dialer.wait_for_failure());
    CHECK(dialer.snapshot().ups.empty());
    return dialer.snapshot().failures[0].why;
  }

  void check_refused(std::string_view logged) {
    CAPTURE(logged);
    CHECK(l.wait_for_log(logged));
    CHECK(l.node->stats().frames_refused == 1);
    CHECK(l.node.snapshot().ups.empty());
    test_node friendly(make_socket_network, member(77, context_of(ca, ca.node("friend"))));
    friendly->connect(l.at);
    CHECK(friendly.wait_for_up());
    CHECK(l.node.wait_for_up());
  }

  authority ca;
  listening l;
};

/// What OpenSSL alone is told that dials with these.
std::string told_to(const config::endpoint& at, const bare_options& with) {
  test_loop loop;
  auto address = loop.wait(loop.io.provider->getNetwork().parseAddress(at.host.c_str(), at.port));
  bare_peer dialer(loop, loop.wait(address->connect()), with);
  auto told = loop.wait(dialer.shake_hands());
  return told.empty() ? loop.wait(dialer.read(1)) : told;
}

/// Sends the first connection to one node and the next ones to another, as who stands between a
/// node and those that it dials can do.
class splitter {
public:
  splitter(const config::endpoint& first, const config::endpoint& others)
      : thread_([this, first, others] { run(first, others); }) {}
  ~splitter() {
    stop_ = true;
    thread_.join();
  }
  const config::endpoint& at() const { return door_.at(); }

private:
  struct pair {
    raw_peer from, to;
  };

  void run(const config::endpoint& first, const config::endpoint& others) {
    std::vector<pair> pairs;
    while (!stop_) {
      std::vector<pollfd> watched{{door_.descriptor(), POLLIN, 0}};
      for (const auto& p : pairs)
        for (const int fd : {p.from.descriptor(), p.to.descriptor()})
          watched.push_back({fd, POLLIN, 0});
      if (poll(watched.data(), watched.size(), 20) <= 0) continue;
      for (std::size_t i = 1; i < watched.size(); ++i) {
        auto& p = pairs[(i - 1) / 2];
        if (watched[i].revents != 0)
          (i % 2 == 1 ? p.from : p.to).pass_on(i % 2 == 1 ? p.to : p.from);
      }
      if (watched[0].revents != 0)
        pairs.push_back({door_.accept(), raw_peer(pairs.empty() ? first : others)});
    }
  }

  raw_listener door_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

} // namespace

TEST_CASE("a dialer without a certificate is refused by the network, told, counted and logged") {
  tls_bench b;
  CHECK(has(told_to(b.l.at, {}), "certificate required"));
  b.check_refused("sent no certificate");
}

TEST_CASE("a dialer with an expired certificate is refused, told, counted and logged") {
  tls_bench b;
  const auto old = b.ca.odd_node({"gradmesh://" + cluster + "/w?roles=worker"}, valid_for(-60));
  CHECK(has(told_to(b.l.at, {.identity = old}), "certificate expired"));
  b.check_refused("it expired at");
}

TEST_CASE("a dialer that speaks TLS 1.2 is refused, told, counted and logged") {
  tls_bench b;
  const bare_options with{.identity = b.ca.node("w"), .version_max = TLS1_2_VERSION};
  CHECK(has(told_to(b.l.at, with), "protocol version"));
  b.check_refused("does not offer TLS 1.3");
}

TEST_CASE("a dialer with a certificate of another cluster is refused, counted and logged") {
  tls_bench b;
  const auto other = b.ca.odd_node({"gradmesh://other/w?roles=worker"});
  CHECK(has(told_to(b.l.at, {.identity = other}), "bad certificate"));
  b.check_refused("it is for the cluster 'other'");
}

TEST_CASE("a dialer with a certificate of a foreign CA learns why it is refused") {
  tls_bench b;
  const authority foreign;
  SUBCASE("and the listener's is foreign to it, too") {
    const auto why = b.dial(member(2, context_of(foreign, foreign.node("spy"))));
    CHECK(why.code == errc::refused);
    CHECK(has(why.text, "unknown CA"));
    b.check_refused("unknown ca");
  }
  SUBCASE("though it believes the listener's") {
    const auto why = b.dial(member(2, trusting_both(foreign, b.ca, "spy")));
    CHECK(why.code == errc::refused);
    CHECK(has(why.text, "does not know the CA of this node's certificate"));
    b.check_refused("is refused: it is from an unknown CA");
  }
}

TEST_CASE("a dialer without TLS learns that the listener may want it") {
  tls_bench b;
  const auto why = b.dial(member(2, nullptr));
  CHECK((why.code == errc::incompatible_peer || why.code == errc::unreachable));
  CHECK(has(why.text, "if its mesh uses TLS, this node needs a certificate too"));
  b.check_refused("does not speak TLS");
}

TEST_CASE("a dialer with TLS learns that the listener has none") {
  const authority ca;
  auto o = options(1);
  o.cluster = cluster;
  listening l(o);
  test_node dialer(make_socket_network, member(2, context_of(ca, ca.node("w"))));
  dialer->connect(l.at);
  REQUIRE(dialer.wait_for_failure());
  const auto why = dialer.snapshot().failures[0].why;
  CHECK(why.code == errc::unreachable); // a node that is just ending does the same
  CHECK(has(why.text, "if its mesh uses no TLS, this node can have no [tls] either"));
  CHECK(l.wait_for_log("no Gradmesh frame"));
  CHECK(l.node->stats().frames_refused == 1);
}

TEST_CASE("large frames arrive intact over TLS, one behind the other") {
  const authority ca;
  listening l(member(1, context_of(ca, ca.node("head", {role::coordinator, role::worker}))));
  test_node dialer(make_socket_network,
                   member(2, context_of(ca, ca.node("a", {role::worker, role::server}))));
  dialer->connect(l.at);
  REQUIRE(dialer.wait_for_up());
  REQUIRE(l.node.wait_for_up());
  constexpr std::size_t bytes = 100u << 10;
  constexpr std::size_t frames = 400;
  for (std::uint64_t id = 1; id <= frames; ++id)
    dialer.send(l.node, lane::control, id, 20, bytes);
  REQUIRE(l.node.wait_for_frames(frames));
  for (const auto& f : l.node.snapshot().frames)
    CHECK(is_intact(*f, 20, bytes));
}

TEST_CASE("a Hello that says more than the certificate is refused, and both sides know why") {
  tls_bench b;
  auto o = member(2, context_of(b.ca, b.ca.node("w")));
  auto code = errc::refused;
  std::string text;
  SUBCASE("another name") {
    o.node_name = "head";
    text = "the certificate is for node 'w', but the node calls itself 'head'";
  }
  SUBCASE("more roles") {
    o.roles = {role::worker, role::coordinator};
    text = "allows the roles worker, but the node wants to be";
  }
  SUBCASE("another cluster") {
    o.cluster = "other";
    code = errc::incompatible_peer;
    text = "to 'other'; check the cluster names";
  }
  const auto why = b.dial(o);
  CHECK(why.code == code);
  CHECK(has(why.text, text));
  b.check_refused(text);
}

TEST_CASE("a worker's certificate sends no coordinator's message, on either lane") {
  tls_bench b;
  auto o = member(2, context_of(b.ca, b.ca.node("w")));
  SUBCASE("through shared memory") {}
  SUBCASE("through TLS") {
    o.shared_memory = false;
  }
  test_node worker(make_socket_network, o);
  worker->connect(b.l.at);
  REQUIRE(worker.wait_for_up());
  REQUIRE(b.l.node.wait_for_up());
  const auto head = b.l.node.self().uuid;
  std::uint64_t id = 0;
  for (const auto on : {lane::control, lane::bulk}) {
    auto forged = std::make_shared<mesh::frame>(*make_frame(worker.self(), on, ++id));
    forged->header.kind = view;
    REQUIRE(worker->send(head, forged));
    REQUIRE(worker->send(head, make_frame(worker.self(), on, ++id))); // what it may send
    REQUIRE(b.l.node.wait_for_frames(id / 2));
    const auto seen = b.l.node.snapshot();
    CHECK(seen.frames.back()->header.message_id == id);
    CHECK(seen.refused.size() == id / 2);
    CHECK(b.l.node->stats().roles_refused == id / 2);
  }
  CHECK(b.l.wait_for_log("node 'w' is worker and may not send a message of kind 8"));
  CHECK(b.l.node.snapshot().downs.empty());
}

TEST_CASE("of two nodes with one identity the second is refused and the first undisturbed") {
  const authority ca;
  std::shared_ptr<const tls_context> head, first_tls, second_tls;
  SUBCASE("without TLS") {}
  SUBCASE("with a certificate each") {
    head = context_of(ca, ca.node("head", {role::coordinator}));
    first_tls = context_of(ca, ca.node("a"));
    second_tls = context_of(ca, ca.node("b"));
  }
  SUBCASE("with the same certificate") {
    head = context_of(ca, ca.node("head", {role::coordinator}));
    first_tls = second_tls = context_of(ca, ca.node("a"));
  }
  listening l(member(1, head));
  test_node first(make_socket_network, member(2, first_tls));
  first->connect(l.at);
  REQUIRE(first.wait_for_up());
  REQUIRE(l.node.wait_for_up());
  test_node second(make_socket_network, member(2, second_tls));
  second->connect(l.at);
  REQUIRE(second.wait_for_failure());
  const auto why = second.snapshot().failures[0].why;
  CHECK(why.code == errc::refused);
  CHECK(has(why.text, "is already connected with incarnation 1"));
  CHECK(l.wait_for_log("is already connected with incarnation 1"));
  CHECK(l.node->stats().frames_refused == 1);
  for (const auto on : {lane::control, lane::bulk})
    first.send(l.node, on, 1);
  CHECK(l.node.wait_for_frames(2));
  CHECK(l.node.snapshot().downs.empty());
  CHECK(first.snapshot().downs.empty());
}

TEST_CASE("another certificate is no later incarnation of a node, whatever its uuid") {
  tls_bench b;
  test_node victim(make_socket_network, member(2, context_of(b.ca, b.ca.node("a"))));
  victim->connect(b.l.at);
  REQUIRE(victim.wait_for_up());
  REQUIRE(b.l.node.wait_for_up());
  const std::string text = "'b' cannot be its next incarnation";

  SUBCASE("when it dials") {
    const auto why = [&] {
      test_node thief(make_socket_network, member(2, context_of(b.ca, b.ca.node("b")), 9));
      thief->connect(b.l.at);
      REQUIRE(thief.wait_for_failure());
      return thief.snapshot().failures[0].why;
    }();
    CHECK(why.code == errc::refused);
    CHECK(has(why.text, text));
    CHECK(b.l.wait_for_log(text));
    CHECK(b.l.node->stats().frames_refused == 1);
  }
  SUBCASE("when it is dialled") {
    test_node thief(make_socket_network, member(2, context_of(b.ca, b.ca.node("b")), 9));
    b.l.node->connect(thief.listen());
    REQUIRE(b.l.node.wait_for_failure());
    const auto why = b.l.node.snapshot().failures[0].why;
    CHECK(why.code == errc::refused);
    CHECK(has(why.text, text));
  }
  victim.send(b.l.node, lane::control, 1);
  CHECK(b.l.node.wait_for_frames(1));
  CHECK(b.l.node.snapshot().downs.empty());

  // The node itself may come back.
  test_node again(make_socket_network, member(2, context_of(b.ca, b.ca.node("a")), 3));
  again->connect(b.l.at);
  CHECK(again.wait_for_up());
  CHECK(b.l.node.wait_for_down());
}

TEST_CASE("one node's bulk lane does not go with another node's control lane") {
  const authority ca;
  listening head(member(1, context_of(ca, ca.node("head", {role::coordinator}))));
  // Has the coordinator's uuid and incarnation, and a certificate of its own.
  std::shared_ptr<const tls_context> own;
  SUBCASE("with another name") {
    own = context_of(ca, ca.node("w", {role::coordinator}));
  }
  SUBCASE("with other roles") {
    own = context_of(ca, ca.node("head", {role::worker}));
  }
  listening thief(member(1, own));
  const splitter between(head.at, thief.at);
  auto o = member(2, context_of(ca, ca.node("victim")));
  o.shared_memory = false;
  test_node victim(make_socket_network, o);
  victim->connect(between.at());
  REQUIRE(victim.wait_for([](const record& r) { return !r.failures.empty() || !r.ups.empty(); }));
  const auto seen = victim.snapshot();
  CHECK(seen.ups.empty());
  REQUIRE(seen.failures.size() == 1);
  CHECK(seen.failures[0].why.code == errc::incompatible_peer);
  CHECK(has(seen.failures[0].why.text, "answered as two different nodes"));
}
