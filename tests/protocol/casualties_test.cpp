/// Whom the coordinator gives up, and when.

#include "actors/coordinator/membership.hpp"
#include "actors/defaults.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace std::chrono_literals;
using coordinator::membership;

namespace {

constexpr mesh::service_id own_service{mesh::service_kind::node, 0};
constexpr mesh::service_id coordinator_service{mesh::service_kind::coordinator, 0};

template <class T>
mesh::message<T> from(const mesh::node_identity& who, std::uint64_t in_reply_to = 0) {
  const mesh::draft<T> draft;
  auto f = std::make_shared<mesh::frame>(
      draft.build({{99}, coordinator_service}, own_service, in_reply_to, mesh::lane::control));
  f->header.from = who;
  return *mesh::message<T>::decode(f);
}

/// A coordinator's view of one member, which has joined; time goes by as it is told.
struct bench {
  bench() {
    REQUIRE(members.admit(from<schema::Register>(who), now));
    beat(1);
  }
  void beat(std::uint64_t heard) {
    REQUIRE(members.heard_from(from<schema::Heartbeat>(who, heard), now));
  }
  /// Whether it is given up by then; looked at as often as the coordinator does.
  bool given_up_after(std::chrono::milliseconds time) {
    for (const auto end = now + time; now < end;) {
      now += std::min<env::time_point::duration>(defaults::coordinator::tick_interval, end - now);
      for (const auto& lost : members.casualties(now)) {
        why = lost.why;
        return true;
      }
    }
    return false;
  }

  env::time_point now{1h};
  mesh::node_identity who{{7}, 3};
  membership members{{1}, 800ms, 100ms, now};
  error why;
};

} // namespace

TEST_CASE("a member is given up when it has been silent for longer than its time") {
  bench b;
  CHECK_FALSE(b.given_up_after(800ms));
  CHECK(b.given_up_after(50ms));
  CHECK(b.why.code == errc::timed_out);
}

TEST_CASE("heartbeats of a node that hears nothing are no sign of life") {
  bench b;
  for (std::uint64_t i = 0; i < 8; ++i) {
    CHECK_FALSE(b.given_up_after(100ms));
    b.beat(1); // always of the same answer
  }
  CHECK(b.given_up_after(50ms));
  bench hears;
  for (std::uint64_t i = 0; i < 30; ++i) {
    CHECK_FALSE(hears.given_up_after(100ms));
    hears.beat(2 + i);
  }
}

TEST_CASE("answers that take long on a link that works do not make a node deaf") {
  bench b;
  for (std::uint64_t i = 0; i < 100; ++i) { // 3 seconds behind, all the time
    CHECK_FALSE(b.given_up_after(100ms));
    b.beat(2 + i);
  }
}

TEST_CASE("a member whose link breaks has a while to come back over another") {
  bench b;
  b.members.link_lost(b.who, {errc::node_lost, "reset"}, b.now);
  CHECK_FALSE(b.given_up_after(50ms));
  const auto epoch = b.members.epoch();
  CHECK_FALSE(*b.members.admit(from<schema::Register>(b.who), b.now)); // no new member
  CHECK(b.members.epoch() == epoch);
  CHECK_FALSE(b.given_up_after(600ms));
  b.members.link_lost(b.who, {errc::node_lost, "reset"}, b.now);
  CHECK(b.given_up_after(100ms));
  CHECK(b.why.text == "reset");
}

TEST_CASE("the broken link of a former life concerns nobody") {
  bench b;
  b.members.link_lost({b.who.uuid, b.who.incarnation - 1}, {errc::node_lost, "reset"}, b.now);
  CHECK_FALSE(b.given_up_after(700ms));
}

TEST_CASE(
    "a member that comes back in the life in which it was given up is a new one, and counted") {
  bench b;
  const auto epoch = b.members.epoch();
  REQUIRE(b.members.remove(b.who.uuid));
  CHECK(b.members.removed() == 1);
  CHECK(b.members.returned() == 0);
  CHECK_FALSE(b.members.heard_from(from<schema::Heartbeat>(b.who, 9), b.now)); // fenced
  CHECK(*b.members.admit(from<schema::Register>(b.who), b.now));
  CHECK(b.members.returned() == 1);
  CHECK(b.members.epoch() == epoch + 2);
  REQUIRE(b.members.remove(b.who.uuid));
  ++b.who.incarnation; // a process that was started again had died
  CHECK(*b.members.admit(from<schema::Register>(b.who), b.now));
  CHECK(b.members.removed() == 2);
  CHECK(b.members.returned() == 1);
}

TEST_CASE("a coordinator that was paused gives everybody a new chance") {
  bench b;
  b.members.link_lost(b.who, {errc::node_lost, "reset"}, b.now);
  b.now += 5s;
  CHECK(b.members.casualties(b.now).empty());
  CHECK(b.given_up_after(100ms)); // it is still not linked
  CHECK(b.why.text == "reset");
  bench linked;
  linked.now += 5s;
  CHECK(linked.members.casualties(linked.now).empty());
  CHECK_FALSE(linked.given_up_after(800ms));
  CHECK(linked.given_up_after(50ms));
}

namespace {

/// The coordinator's own node, and two others.
struct three : bench {
  three() {
    for (const auto& one : {self, other})
      REQUIRE(members.admit(from<schema::Register>(one), now));
  }
  void beat_of(const mesh::node_identity& one, std::uint64_t heard) {
    REQUIRE(members.heard_from(from<schema::Heartbeat>(one, heard), now));
  }
  /// Nobody but the coordinator itself is heard.
  bool given_up_alone_after(std::chrono::milliseconds time) {
    for (const auto end = now + time; now < end;) {
      beat_of(self, ++beats);
      if (given_up_after(50ms)) return true;
    }
    return false;
  }

  mesh::node_identity self{{1}, 1};
  mesh::node_identity other{{8}, 1};
  std::uint64_t beats = 0;
};

} // namespace

TEST_CASE("a coordinator that hears nobody takes it for its own fault, for a while") {
  three b;
  b.beat_of(b.other, 1);
  CHECK_FALSE(b.given_up_alone_after(9s));
  CHECK(b.given_up_alone_after(2s));
}

TEST_CASE("when the first is heard again the others have a new chance, but no more than one") {
  three b;
  b.beat_of(b.other, 1);
  CHECK_FALSE(b.given_up_alone_after(5s));
  for (std::uint64_t i = 2; i < 10; ++i) {
    b.beat_of(b.other, i);
    CHECK_FALSE(b.given_up_alone_after(100ms));
  }
  b.beat_of(b.other, 10);
  CHECK(b.given_up_alone_after(150ms));
}

TEST_CASE("one that is silent among others that are not is given up in its time") {
  three b;
  for (std::uint64_t i = 2; i < 10; ++i) {
    b.beat_of(b.other, i);
    CHECK_FALSE(b.given_up_alone_after(100ms));
  }
  b.beat_of(b.other, 10);
  CHECK(b.given_up_alone_after(100ms));
}

TEST_CASE("links that all break at once are waited for as long as none is back") {
  three b;
  for (const auto& one : {b.who, b.other})
    b.members.link_lost(one, {errc::node_lost, "reset"}, b.now);
  CHECK_FALSE(b.given_up_alone_after(2s));
  REQUIRE(b.members.admit(from<schema::Register>(b.other), b.now));
  CHECK_FALSE(b.given_up_alone_after(50ms));
  CHECK(b.given_up_alone_after(150ms));
  CHECK(b.why.text == "reset");
}

TEST_CASE("a server is found by the address at which it is dialled, other nodes are not") {
  bench b;
  const auto join = [&](const mesh::node_identity& one, mesh::service_kind kind) {
    mesh::draft<schema::Register> draft;
    draft->setEndpoint("127.0.0.1:7710");
    draft->initServices(1).set(0, mesh::service_id{kind, 0}.to_wire());
    auto f = std::make_shared<mesh::frame>(
        draft.build({{99}, coordinator_service}, own_service, 0, mesh::lane::control));
    f->header.from = one;
    REQUIRE(b.members.admit(*mesh::message<schema::Register>::decode(f), b.now));
  };
  join({{20}, 1}, mesh::service_kind::worker);
  CHECK_FALSE(b.members.find_server_at("127.0.0.1:7710"));
  join({{21}, 1}, mesh::service_kind::server_shard);
  CHECK(b.members.find_server_at("127.0.0.1:7710") == mesh::node_uuid{21});
  CHECK_FALSE(b.members.find_server_at("127.0.0.1:7711"));
  CHECK_FALSE(b.members.find_server_at(""));
}
