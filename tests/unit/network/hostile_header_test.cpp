// Forged headers and frames that break off: nothing of them reaches an actor, and the node lives.

#include "tests/unit/network/listening_node.hpp"

#include "actors/mesh/router.hpp"
#include "schema/message.capnp.h"

#include <capnp/schema.h>
#include <xxhash.h>

#include <atomic>
#include <future>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::lane;

namespace {

constexpr std::size_t checksum_at = 88;

/// Makes the checksum of a frame right again after its bytes were changed.
void sum_again(bytes& wire, std::size_t metadata_bytes) {
  bytes summed(wire.begin(), wire.begin() + checksum_at);
  const auto metadata = wire.begin() + mesh::frame_header_bytes;
  summed.insert(summed.end(), metadata, metadata + static_cast<std::ptrdiff_t>(metadata_bytes));
  const auto sum = XXH3_64bits(summed.data(), summed.size());
  for (std::size_t i = 0; i < 8; ++i)
    wire[checksum_at + i] = static_cast<std::byte>(sum >> (8 * i));
}

void put(bytes& wire, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    wire[at + i] = static_cast<std::byte>(value >> (8 * i));
}

bool is_length(std::size_t at) {
  return (at >= 16 && at < 20) || (at >= 24 && at < 32);
}

mesh::frame_ptr some_frame() {
  return make_frame(stranger.identity, lane::bulk, 1, 2, 40);
}

/// Sends bytes on the bulk lane of a new link and closes it; returns why the link went down.
error send_and_close(listening& l, std::span<const std::byte> wire) {
  const auto before = l.node.snapshot().downs.size();
  {
    raw_link link(l.at, stranger);
    for (int lanes = 0; lanes < 2; ++lanes) // read, or closing would be a reset
      REQUIRE(is_credit_kind(link.control.receive()->header.kind));
    link.bulk.send(wire);
  }
  REQUIRE(l.node.wait_for_down(before + 1));
  return l.node.snapshot().downs.back().why;
}

} // namespace

TEST_CASE("32 bytes of junk are closed, counted and logged, whatever they begin with") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  auto o = options(1);
  o.handshake_timeout = std::chrono::milliseconds(100);
  listening l(o);
  bytes junk(32);
  fill_with_noise(junk, random);
  SUBCASE("anything") {
    put(junk, 0, 0, 1);
    raw_peer peer(l.at);
    peer.send(junk);
    CHECK(peer.is_closed_by_peer());
    CHECK(l.wait_for_log("no Gradmesh frame"));
  }
  SUBCASE("the magic number") {
    put(junk, 0, mesh::frame_magic, 4);
    raw_peer peer(l.at);
    peer.send(junk);
    CHECK(peer.is_closed_by_peer());
    CHECK(l.wait_for_log("no Hello within 100 ms"));
  }
  CHECK(l.node->stats().frames_refused == 1);
  CHECK(l.node.snapshot().ups.empty());
  l.check_still_serves();
}

TEST_CASE("a frame in whose header one byte was changed never arrives") {
  listening l;
  const auto good = encode(*some_frame());
  std::uint64_t refused = 0;
  for (std::size_t at = 0; at < mesh::frame_header_bytes; ++at)
    for (const auto flip : {std::byte{1}, std::byte{0x80}}) {
      CAPTURE(at);
      auto wire = good;
      wire[at] ^= flip;
      const auto why = send_and_close(l, wire);
      // Where a length has grown the rest is waited for, until the end comes instead.
      if (why.code == errc::node_lost) {
        CHECK(is_length(at));
        CHECK(has(why.text, "within a frame"));
      } else {
        CHECK((why.code == errc::malformed_message ||
               (is_length(at) && why.code == errc::limit_exceeded)));
        ++refused;
      }
      CHECK(l.node->stats().frames_refused == refused);
    }
  CHECK(refused > 2 * (mesh::frame_header_bytes - 12));
  CHECK(l.node.snapshot().frames.empty());
  l.check_still_serves();
}

TEST_CASE("a forged header with the right checksum takes its link down") {
  struct forgery {
    std::size_t at, size;
    std::uint64_t value;
    errc code = errc::malformed_message;
  };
  std::vector<forgery> forgeries{
      {0, 4, mesh::frame_magic ^ 1},
      {0, 4, 0},
      {4, 2, 0},
      {4, 2, mesh::protocol_version + 1},
      {4, 2, 0xFFFF},
      {6, 2, 0},
      {6, 2, 1},
      {6, 2, 2},
      {6, 2, 3},
      {6, 2, 32},
      {6, 2, capnp::Schema::from<schema::MessageKind>().getEnumerants().size()},
      {6, 2, 0xFFFF},
      {8, 1, 0},
      {8, 1, 2},
      {8, 1, 0xFF},
      {9, 1, 8},
      {9, 1, 0xFF},
      {16, 4, 15},
      {16, 4, 0xFFFFFFFF},
      {16, 4, 0xFFFFFFF8, errc::limit_exceeded},
      {24, 8, 0xFFFFFFFF, errc::limit_exceeded},
      {24, 8, std::uint64_t{1} << 63, errc::limit_exceeded},
      {24, 8, ~std::uint64_t{0}, errc::limit_exceeded},
      {64, 8, 0},
  };
  for (std::size_t at = 32; at < 56; ++at) // uuid and incarnation
    forgeries.push_back({at, 1, 0x55});
  listening l;
  for (const auto& f : forgeries) {
    CAPTURE(f.at);
    CAPTURE(f.value);
    auto wire = encode(*some_frame());
    put(wire, f.at, f.value, f.size);
    sum_again(wire, 16);
    const auto refused = l.node->stats().frames_refused;
    // The link must go down by itself: its connections stay open meanwhile.
    const auto downs = l.node.snapshot().downs.size();
    raw_link link(l.at, stranger);
    link.bulk.send(wire);
    REQUIRE(l.node.wait_for_down(downs + 1));
    CHECK(l.node.snapshot().downs.back().why.code == f.code);
    CHECK(l.node->stats().frames_refused == refused + 1);
  }
  CHECK(l.node.snapshot().frames.empty());
  l.check_still_serves();
}

TEST_CASE("what the link does not judge in a header arrives as it was sent") {
  listening l;
  raw_link link(l.at, stranger);
  auto wire = encode(*some_frame());
  put(wire, 10, ~0ull, 6); // reserved
  put(wire, 20, ~0ull, 4);
  put(wire, 56, 0, 8);          // an old view: the shard's business
  put(wire, 72, ~0ull, 8);      // an answer to nothing
  put(wire, 80, 0xFFFFFFFF, 4); // a service that there is not: the router's
  put(wire, 84, 0xFFFFFFFF, 4);
  sum_again(wire, 16);
  link.bulk.send(wire);
  REQUIRE(l.node.wait_for_frames(1));
  const auto seen = l.node.snapshot();
  CHECK(seen.frames[0]->header.to_service.to_wire() == 0xFFFFFFFF);
  CHECK(seen.frames[0]->header.in_reply_to == ~0ull);
  CHECK(seen.downs.empty());
}

TEST_CASE("a frame for a service that there is not is refused by the router, and the link lives") {
  auto o = options(1);
  const auto router =
      std::make_shared<mesh::router>(o.self, std::shared_ptr<network>(make_socket_network(o)));
  std::atomic<int> downs{0};
  REQUIRE(router->start({.up = [](const peer&) {},
                         .down = [&](const peer&, const error&) { ++downs; },
                         .connect_failed = [](const config::endpoint&, const error&) {}}));
  const auto at = router->network().listen(any_port);
  REQUIRE(at);
  {
    raw_link link(*at, stranger);
    link.control.send(*make_credit(stranger, {lane::control, 0, 1u << 20}));
    const auto answer = [&] {
      for (;;) {
        auto f = link.control.receive();
        REQUIRE(f);
        if (!is_credit_kind(f->header.kind)) return *f;
      }
    };
    for (std::uint64_t id = 1; id <= 2; ++id) {
      link.control.send(with_header(make_frame(stranger.identity, lane::control, id), [](auto& h) {
        h.to_service = mesh::service_id::from_wire(0xFFFFFFFF);
      }));
      const auto refusal = answer();
      CHECK(refusal.header.kind == mesh::message_traits<schema::Refusal>::kind);
      CHECK(refusal.header.in_reply_to == id);
    }
    CHECK(router->refused_frames() == 2);
    CHECK(downs == 0);
  }
  router->network().stop(std::chrono::milliseconds(0));
}

TEST_CASE("a frame that is cut at any byte takes its link down and nothing else") {
  listening l;
  const auto wire = encode(*some_frame());
  for (std::size_t cut = 1; cut < wire.size(); ++cut) {
    CAPTURE(cut);
    const auto why = send_and_close(l, std::span(wire).first(cut));
    CHECK(why.code == errc::node_lost);
    CHECK(has(why.text, "within a frame"));
  }
  CHECK(l.node.snapshot().frames.empty());
  // The same way of sending brings a whole one there.
  CHECK(has(send_and_close(l, wire).text, "closed the connection"));
  CHECK(l.node.snapshot().frames.size() == 1);
  l.check_still_serves();
}

TEST_CASE("a peer that resets a lane just when its link comes up goes down, or never was up") {
  listening l;
  for (int round = 0; round < 50; ++round) {
    const auto reset = round % 2 == 0 ? lane::control : lane::bulk;
    CAPTURE(round);
    raw_peer control(l.at);
    control.send(*make_hello(stranger, lane::control));
    REQUIRE(control.receive());
    raw_peer bulk(l.at);
    // The node finds the Hello and the reset at once.
    std::promise<void> holding, sent;
    REQUIRE(l.node->post([&] {
      holding.set_value();
      sent.get_future().wait();
    }));
    holding.get_future().wait();
    bulk.send(*make_hello(stranger, lane::bulk));
    (reset == lane::control ? control : bulk).reset();
    sent.set_value();
    CHECK((reset == lane::control ? bulk : control).is_closed_by_peer());
    CHECK(l.node.wait_for([](const record& r) { return r.ups.size() == r.downs.size(); }));
  }
  l.check_still_serves();
}

TEST_CASE("a Hello that is cut at any byte is closed, counted and logged") {
  listening l;
  const auto wire = encode(*make_hello(stranger, lane::control));
  for (std::size_t cut = 1; cut < wire.size(); ++cut) {
    raw_peer peer(l.at);
    peer.send(std::span(wire).first(cut));
  }
  const auto cuts = wire.size() - 1;
  CHECK(l.wait_for_log("closed the connection within a frame", static_cast<std::ptrdiff_t>(cuts)));
  CHECK(l.node->stats().frames_refused == cuts);
  CHECK(l.node.snapshot().ups.empty());
  l.check_still_serves();
}
