// What a peer may do to a socket network: whatever it likes, and it costs only its own connection.

#include "actors/env/network/role_rules.hpp"
#include "tests/unit/network/listening_node.hpp"

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::lane;

TEST_CASE("a connection that does not speak the protocol is closed, counted and logged") {
  listening l;
  raw_peer browser(l.at);
  browser.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  CHECK(browser.is_closed_by_peer());
  REQUIRE(l.wait_for_log("no Gradmesh frame"));
  CHECK(l.node->stats().frames_refused == 1);
  l.check_still_serves();
}

TEST_CASE("random bytes end only the connection that they came on") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  listening l;
  for (int round = 0; round < 50; ++round) {
    bytes noise(200 + random() % 2'000);
    fill_with_noise(noise, random);
    raw_peer peer(l.at);
    peer.send(noise);
    REQUIRE(peer.is_closed_by_peer());
  }
  l.check_still_serves();
}

TEST_CASE("a Hello with random metadata never brings a peer up") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  listening l;
  for (int round = 0; round < 200; ++round) {
    auto hello = *make_hello(stranger, lane::control);
    if (round % 2 == 0) {
      hello.metadata.resize(1 + random() % 20);
      fill_with_noise(std::as_writable_bytes(std::span(hello.metadata)), random);
    } else {
      hello.metadata[random() % hello.metadata.size()] ^= std::uint64_t{1} << random() % 64;
    }
    hello.header.metadata_bytes = static_cast<std::uint32_t>(hello.metadata.size() * 8);
    raw_peer peer(l.at);
    peer.send(hello);
    (void)peer.receive(); // a Refuse, a Welcome (the bit was in the name) or nothing
  }
  CHECK(l.node.snapshot().ups.empty());
  l.check_still_serves();
}

TEST_CASE("a first frame that is no proper Hello is closed without an answer") {
  const auto hello = make_hello(stranger, lane::control);
  bytes wire;
  SUBCASE("wrong checksum") {
    wire = encode(*hello);
    wire[91] ^= std::byte{1};
  }
  SUBCASE("metadata over the limit of a Hello") {
    wire = encode(with_header(hello, [](auto& h) { h.metadata_bytes = hello_bytes_max + 8; }));
  }
  SUBCASE("a body") {
    wire = encode(with_header(hello, [](auto& h) { h.body_bytes = 1; }));
  }
  SUBCASE("a lane that does not exist") {
    wire = encode(*hello);
    wire[8] = std::byte{2};
  }
  SUBCASE("another message") {
    wire = encode(*make_frame(stranger.identity, lane::control, 1));
  }
  SUBCASE("a name that is too long") {
    auto greets = stranger;
    greets.node_name.assign(256, 'x');
    wire = encode(*make_hello(greets, lane::control));
  }
  listening l;
  raw_peer peer(l.at);
  peer.send(wire);
  CHECK(peer.is_closed_by_peer());
  REQUIRE(l.wait_for_log("closed a connection"));
  CHECK(l.node->stats().frames_refused == 1);
  CHECK(l.node.snapshot().ups.empty());
}

TEST_CASE("a Hello in another protocol version is refused with both ranges") {
  listening l;
  raw_peer peer(l.at);
  peer.send(with_header(make_hello(stranger, lane::bulk), [](auto& h) { h.protocol = 7; }));
  const auto answer = peer.receive();
  REQUIRE(answer);
  const auto refusal = read_answer(*answer);
  REQUIRE_FALSE(refusal);
  CHECK(refusal.failure().code == errc::incompatible_peer);
  CHECK(refusal.failure().text.find("1..1") != std::string::npos);
  CHECK(refusal.failure().text.find("7..7") != std::string::npos);
  CHECK(peer.is_closed_by_peer());
}

TEST_CASE("names in a Hello cannot carry control characters into logs") {
  auto greets = stranger;
  greets.node_name = "evil\x1b[2J\nname";
  listening l;
  raw_link link(l.at, greets);
  REQUIRE(l.node.wait_for_up());
  CHECK(l.node.snapshot().ups[0].name == "evil?[2J?name");
}

TEST_CASE("a name without its end cannot carry a control character into logs") {
  auto hello = *make_hello(stranger, lane::control);
  // Cap'n Proto quotes the byte that it finds where the zero after a text belongs.
  const auto metadata = std::as_writable_bytes(std::span(hello.metadata));
  const auto name = std::as_bytes(std::span(stranger.node_name));
  const auto found = std::search(metadata.begin(), metadata.end(), name.begin(), name.end());
  REQUIRE(found != metadata.end());
  found[static_cast<std::ptrdiff_t>(name.size())] = std::byte{0x1b};
  const auto greeting = read_hello(hello);
  REQUIRE_FALSE(greeting);
  CHECK(greeting.failure().code == errc::malformed_message);
  CHECK(greeting.failure().text.find('\x1b') == std::string::npos);
}

TEST_CASE("a silent connection is dropped when the handshake takes too long") {
  auto o = options(1);
  o.handshake_timeout = std::chrono::milliseconds(50);
  listening l(o);
  SUBCASE("before its Hello") {
    raw_peer peer(l.at);
    CHECK(peer.is_closed_by_peer());
    CHECK(l.wait_for_log("no Hello within 50 ms"));
  }
  SUBCASE("with one lane only") {
    raw_peer peer(l.at);
    peer.send(*make_hello(stranger, lane::bulk));
    REQUIRE(peer.receive());
    CHECK(peer.is_closed_by_peer());
  }
  CHECK(l.node.snapshot().ups.empty());
  l.check_still_serves();
}

TEST_CASE("a node joins while a thousand connections stay silent, which cost it the oldest ones") {
  auto o = options(1);
  o.half_open_max = 3;
  o.handshake_timeout = std::chrono::minutes(1);
  listening l(o);
  std::vector<raw_peer> silent;
  for (int i = 0; i < 500; ++i)
    silent.emplace_back(l.at);
  test_node late(make_socket_network, options(2));
  late->connect(l.at);
  REQUIRE(late.wait_for_up());
  for (int i = 0; i < 500; ++i)
    silent.emplace_back(l.at);
  // All but the three newest are gone, without waiting for the time-out.
  for (std::size_t i = 0; i + 3 < silent.size(); ++i)
    CHECK(silent[i].is_closed_by_peer());
  CHECK(l.wait_for_log("more than 3 connections have not finished the handshake"));
  CHECK(l.node.snapshot().downs.empty());
}

TEST_CASE("a dialer that has opened one lane only gives way to newcomers") {
  auto o = options(1);
  o.half_open_max = 2;
  o.handshake_timeout = std::chrono::minutes(1);
  listening l(o);
  raw_peer half(l.at);
  half.send(*make_hello(stranger, lane::bulk));
  REQUIRE(half.receive());
  raw_peer first(l.at);
  raw_peer second(l.at);
  CHECK(half.is_closed_by_peer());
  CHECK(l.node.snapshot().ups.empty());
}

TEST_CASE("a lane that is open already is refused, a dialer that gave up may come again") {
  listening l;
  {
    raw_peer first(l.at);
    first.send(*make_hello(stranger, lane::control));
    REQUIRE(first.receive());
    raw_peer second(l.at);
    second.send(*make_hello(stranger, lane::control));
    const auto answer = second.receive();
    REQUIRE(answer);
    const auto refusal = read_answer(*answer);
    REQUIRE_FALSE(refusal);
    CHECK(refusal.failure().code == errc::refused);
  }
  // The listener may see the new Hello before the end of the old connection.
  for (bool open = false; !open;) {
    raw_peer again(l.at);
    again.send(*make_hello(stranger, lane::control));
    const auto answer = again.receive();
    REQUIRE(answer);
    open = static_cast<bool>(read_answer(*answer));
  }
}

TEST_CASE("a frame that breaks the protocol takes its link down") {
  const auto f = make_frame(stranger.identity, lane::bulk, 1, 2, 100);
  bytes wire = encode(*f);
  auto code = errc::malformed_message;
  SUBCASE("wrong magic") {
    wire[0] ^= std::byte{1};
  }
  SUBCASE("wrong checksum") {
    wire[88] ^= std::byte{1};
  }
  SUBCASE("changed metadata") {
    wire[100] ^= std::byte{1};
  }
  SUBCASE("wrong checksum in front of a large body") {
    wire = encode(*make_frame(stranger.identity, lane::bulk, 1, 2, 1u << 20));
    wire[88] ^= std::byte{1};
  }
  SUBCASE("another identity") {
    wire = encode(with_header(f, [](auto& h) { h.from.incarnation = 2; }));
  }
  SUBCASE("the other lane") {
    wire = encode(with_header(f, [](auto& h) { h.lane = lane::control; }));
  }
  SUBCASE("a second Hello") {
    wire = encode(*make_hello(stranger, lane::bulk));
  }
  SUBCASE("an unknown kind") {
    wire = encode(with_header(f, [](auto& h) { h.kind = 9'999; }));
  }
  SUBCASE("a Credit on the bulk lane") {
    wire = encode(with_header(f, [](auto& h) { h.kind = 32; }));
  }
  SUBCASE("another protocol version") {
    wire = encode(with_header(f, [](auto& h) { h.protocol = 7; }));
  }
  SUBCASE("a priority that there is not") {
    wire = encode(with_header(f, [](auto& h) { h.priority = 8; }));
  }
  SUBCASE("no message id") {
    wire = encode(with_header(f, [](auto& h) { h.message_id = 0; }));
  }
  SUBCASE("metadata of no whole number of words") {
    wire = encode(with_header(f, [](auto& h) { h.metadata_bytes = 15; }));
  }
  SUBCASE("metadata over the limit") {
    wire = encode(with_header(f, [](auto& h) { h.metadata_bytes = (16u << 20) + 8; }));
    code = errc::limit_exceeded;
  }
  SUBCASE("a body over the limit") {
    wire = encode(with_header(f, [](auto& h) { h.body_bytes = ~std::uint64_t{0}; }));
    code = errc::limit_exceeded;
  }
  listening l;
  raw_link link(l.at, stranger);
  REQUIRE(l.node.wait_for_up());
  link.bulk.send(wire);
  REQUIRE(l.node.wait_for_down());
  CHECK(l.node.snapshot().downs[0].why.code == code);
  CHECK(l.node.snapshot().frames.empty());
  CHECK(l.node->stats().frames_refused == 1);
  CHECK(link.control.is_closed_by_peer());
  l.check_still_serves();
}

TEST_CASE("a connection that ends within a frame says so") {
  listening l;
  std::size_t rounds = 0;
  for (const std::size_t cut : {1u, 95u, 100u, 112u, 40'000u}) {
    CAPTURE(cut);
    {
      raw_link link(l.at, stranger);
      for (int lanes = 0; lanes < 2; ++lanes) // read, or closing would be a reset
        REQUIRE(is_credit_kind(link.control.receive()->header.kind));
      const auto wire = encode(*make_frame(stranger.identity, lane::bulk, 1, 2, 100'000));
      link.bulk.send(std::span(wire).first(cut));
    }
    REQUIRE(l.node.wait_for_down(++rounds));
    const auto why = l.node.snapshot().downs.back().why;
    CHECK(why.code == errc::node_lost);
    CHECK(why.text.find("within a frame") != std::string::npos);
  }
  CHECK(l.node.snapshot().frames.empty());
}

TEST_CASE("frames that trickle in byte by byte arrive intact") {
  listening l;
  raw_link link(l.at, stranger);
  bytes wire;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const auto one = encode(*make_frame(stranger.identity, lane::control, id, 2, 200));
    wire.insert(wire.end(), one.begin(), one.end());
  }
  for (const auto b : wire)
    link.control.send(std::span(&b, 1));
  REQUIRE(l.node.wait_for_frames(3));
  for (const auto& f : l.node.snapshot().frames)
    CHECK(is_intact(*f, 2, 200));
}

TEST_CASE("flipped bits in a stream of frames never get past the checks") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30; ++round) {
    listening l;
    raw_link link(l.at, stranger);
    REQUIRE(l.node.wait_for_up());
    bytes wire;
    for (std::uint64_t id = 1; id <= 10; ++id) {
      const auto one = encode(*make_frame(stranger.identity, lane::bulk, id, 3));
      wire.insert(wire.end(), one.begin(), one.end());
    }
    const auto hit = random() % wire.size();
    CAPTURE(hit);
    wire[hit] ^= static_cast<std::byte>(1 << random() % 8);
    {
      // Closed after it: a length that has grown would otherwise be waited for.
      auto bulk = std::move(link.bulk);
      bulk.send(wire);
    }
    REQUIRE(l.node.wait_for_down());
    const auto got = l.node.snapshot().frames;
    CHECK(got.size() == hit / (wire.size() / 10));
    for (const auto& f : got)
      CHECK(is_intact(*f, 3, 0));
  }
}

TEST_CASE("a peer that does not read its control lane is dropped when its queue is full") {
  listening l(options(1));
  raw_link link(l.at, stranger);
  REQUIRE(l.node.wait_for_up());
  const auto f = make_frame(l.node.self(), lane::control, 1, 2, 1u << 20);
  result<void> sent;
  for (int i = 0; sent && i < 1'000; ++i)
    sent = l.node->send(stranger.identity.uuid, f);
  REQUIRE_FALSE(sent);
  CHECK(sent.failure().code == errc::limit_exceeded);
  REQUIRE(l.node.wait_for_down());
  CHECK(l.node.snapshot().downs[0].why == sent.failure());
  l.check_still_serves();
}

TEST_CASE("a peer that does not read its bulk lane makes the sender wait and costs one queue") {
  auto o = options(1);
  o.queue_bytes_max = 8u << 20;
  listening l(o);
  raw_link link(l.at, stranger);
  REQUIRE(l.node.wait_for_up());
  const auto f = make_frame(l.node.self(), lane::bulk, 1, 2, 1u << 20);
  result<void> sent;
  std::size_t accepted = 0;
  for (; sent && accepted < 1'000; ++accepted) {
    sent = l.node->send(stranger.identity.uuid, f);
    CHECK(l.node->stats().queued_bytes <= o.queue_bytes_max);
  }
  REQUIRE_FALSE(sent);
  CHECK(sent.failure().code == errc::retry_later);
  CHECK(l.node->stats().sends_refused == 1);
  // Without a Credit one frame is on its way; the others wait, and the link is up.
  CHECK(accepted <= 1 + (o.queue_bytes_max >> 20));
  CHECK(l.node.snapshot().downs.empty());
  // A small answer still finds room.
  CHECK(l.node->send(stranger.identity.uuid, make_frame(l.node.self(), lane::bulk, 1, 2, 100)));
  link.control.send(*make_credit(stranger, {lane::bulk, 0, 64u << 20}));
  for (std::size_t i = 1; i < accepted; ++i)
    REQUIRE(link.bulk.receive());
  CHECK(l.node->send(stranger.identity.uuid, f));
  l.check_still_serves();
}

TEST_CASE("what a peer's roles do not allow is refused, counted and logged, and the link lives") {
  listening l;
  raw_link link(l.at, stranger); // a worker
  REQUIRE(l.node.wait_for_up());
  const auto view = with_header(make_frame(stranger.identity, lane::control, 5), [](auto& h) {
    h.kind = 8; // a View, which is the coordinator's
  });
  for (int i = 0; i < 20; ++i)
    link.control.send(view);
  link.control.send(*make_frame(stranger.identity, lane::control, 6));
  REQUIRE(l.node.wait_for_frames(1));
  const auto seen = l.node.snapshot();
  CHECK(seen.frames.size() == 1);
  CHECK(seen.refused.size() == 20);
  CHECK(seen.refused[0]->header.message_id == 5);
  CHECK(seen.downs.empty());
  CHECK(l.node->stats().roles_refused == 20);
  CHECK(std::count_if(seen.log.begin(), seen.log.end(), [](const std::string& line) {
          return line.find("is worker and may not send a message of kind 8") != std::string::npos;
        }) == 2); // the first and the tenth
}

TEST_CASE("every kind of message has roles that may send it, and only link messages have none") {
  for (std::uint16_t kind = 0; is_known_kind(kind); ++kind)
    CHECK(senders_of(kind).empty() == (is_handshake_kind(kind) || is_credit_kind(kind)));
  CHECK(senders_of(9'999).empty());
}
