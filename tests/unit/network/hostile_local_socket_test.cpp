// Strangers and hostile members on the local socket, where shared memory is handed over: nobody
// without a member's ticket gets anywhere, and what is handed over must be what it is said to be.

#include "tests/unit/network/listening_node.hpp"

#include "actors/env/network/shared_memory/handover.hpp"
#include "actors/env/network/shared_memory/memory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>

#include <unistd.h>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::lane;

namespace {

greeting neighbour(std::uint8_t number, std::uint64_t incarnation = 1) {
  auto who = stranger;
  who.identity = identity(number, incarnation);
  who.host = shm::this_host();
  return who;
}

raw_peer connect_local(const std::string& name) {
  auto socket = shm::connect_to(name);
  REQUIRE(socket);
  const int descriptor = socket->release();
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
  const timeval limit{patience.count(), 0};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return raw_peer(descriptor);
}

/// The control lane of a neighbour, and what it was offered for its bulk lane.
struct half_link {
  half_link(const config::endpoint& to, const greeting& own) : control(to) {
    control.send(*make_hello(own, lane::control));
    const auto answer = control.receive();
    REQUIRE(answer);
    const auto said = read_answer(*answer);
    REQUIRE(said);
    offer = said->offer;
    REQUIRE_FALSE(offer.socket.empty());
  }
  raw_peer control;
  local_offer offer;
};

/// What the node says to a Hello on the local socket; a refusal, or nothing wrong.
error answer_to(raw_peer& local, const mesh::frame_ptr& hello) {
  local.send(*hello);
  const auto answer = local.receive();
  REQUIRE(answer);
  const auto said = read_answer(*answer);
  return said ? error{} : said.failure();
}

void send_with(raw_peer& to, int descriptor) {
  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  auto* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(part), &descriptor, sizeof(int));
  REQUIRE(sendmsg(to.descriptor(), &message, 0) == 1);
}

kj::AutoCloseFd memory_file(off_t bytes, int seals) {
  kj::AutoCloseFd fd(memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(ftruncate(fd, bytes) == 0);
  REQUIRE(fcntl(fd, F_ADD_SEALS, seals) == 0);
  return fd;
}

constexpr const char* no_ticket = "nobody with this ticket is expected on the local socket";

} // namespace

TEST_CASE("who has no ticket of its own is refused on the local socket, counted and logged") {
  listening l;
  test_node member(make_socket_network, options(5));
  member->connect(l.at);
  REQUIRE(member.wait_for_up());
  REQUIRE(l.node.wait_for_up());
  half_link half(l.at, neighbour(66));
  half_link other(l.at, neighbour(67));
  auto local = connect_local(half.offer.socket);
  auto wrong = half.offer.ticket;
  wrong[3] ^= std::byte{1};
  const local_ticket zeros{};
  mesh::frame_ptr hello;
  SUBCASE("a stranger without a ticket") {
    hello = make_hello(neighbour(99), lane::bulk);
  }
  SUBCASE("a stranger with a ticket of zeros") {
    hello = make_hello(neighbour(99), lane::bulk, &zeros);
  }
  SUBCASE("a stranger with the ticket of another node") {
    hello = make_hello(neighbour(99), lane::bulk, &half.offer.ticket);
  }
  SUBCASE("a node without its ticket") {
    hello = make_hello(neighbour(66), lane::bulk);
  }
  SUBCASE("a node with a wrong ticket") {
    hello = make_hello(neighbour(66), lane::bulk, &wrong);
  }
  SUBCASE("a node with the ticket of another node") {
    hello = make_hello(neighbour(66), lane::bulk, &other.offer.ticket);
  }
  SUBCASE("a node that opens its control lane there") {
    hello = make_hello(neighbour(66), lane::control, &half.offer.ticket);
  }
  SUBCASE("a next incarnation with the ticket of its predecessor") {
    hello = make_hello(neighbour(66, 2), lane::bulk, &half.offer.ticket);
  }
  SUBCASE("a stranger that calls itself a member's next incarnation") {
    hello = make_hello(neighbour(5, 2), lane::bulk);
  }
  const auto why = answer_to(local, hello);
  CHECK(why.code == errc::refused);
  CHECK(has(why.text, no_ticket));
  CHECK(local.is_closed_by_peer());
  CHECK(l.wait_for_log(no_ticket));
  CHECK(l.node->stats().frames_refused == 1);
  CHECK(l.node.snapshot().downs.empty());
  // Neither the member nor who is about to become one was disturbed.
  member.send(l.node, lane::bulk, 1);
  CHECK(l.node.wait_for_frames(1));
  auto rightful = connect_local(half.offer.socket);
  CHECK_FALSE(answer_to(rightful, make_hello(neighbour(66), lane::bulk, &half.offer.ticket)));
  l.check_still_serves();
}

TEST_CASE("a ticket opens the local socket once") {
  listening l;
  half_link half(l.at, neighbour(66));
  auto first = connect_local(half.offer.socket);
  const auto hello = make_hello(neighbour(66), lane::bulk, &half.offer.ticket);
  CHECK_FALSE(answer_to(first, hello));
  auto second = connect_local(half.offer.socket);
  CHECK(answer_to(second, hello).code == errc::refused);
  l.check_still_serves();
}

TEST_CASE("what a dialer sends before the news of its shared memory is there is not lost") {
  listening l;
  half_link half(l.at, neighbour(66));
  auto local = connect_local(half.offer.socket);
  REQUIRE_FALSE(answer_to(local, make_hello(neighbour(66), lane::bulk, &half.offer.ticket)));
  const auto made = shm::memory::create();
  REQUIRE(made);
  // A dialer is up as soon as it has handed its memory over, and the two ways do not wait for each
  // other. The member that comes meanwhile says that the node has looked at the control lane.
  half.control.send(*make_frame(identity(66), lane::control, 1));
  test_node member(make_socket_network, options(5));
  connect_until_up(member, l.at);
  send_with(local, (*made)->descriptor());
  CHECK(l.node.wait_for_up(2));
  half.control.send(*make_frame(identity(66), lane::control, 2));
  REQUIRE(l.node.wait_for_frames(2));
  CHECK(l.node.snapshot().frames[0]->header.message_id == 1);
  CHECK(l.node.snapshot().frames[1]->header.message_id == 2);
}

TEST_CASE("what is no shared memory ends the attempt, is counted and logged") {
  auto o = options(1);
  o.handshake_timeout = std::chrono::milliseconds(300);
  listening l(o);
  half_link half(l.at, neighbour(66));
  auto local = connect_local(half.offer.socket);
  CHECK_FALSE(answer_to(local, make_hello(neighbour(66), lane::bulk, &half.offer.ticket)));
  constexpr int sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  const char* logged = "the peer's shared memory is of no use";
  SUBCASE("bytes") {
    local.send("x");
    logged = "the peer sent bytes instead of memory";
  }
  SUBCASE("a memory that is too small") {
    send_with(local, memory_file(4'096, sealed));
  }
  SUBCASE("a memory that is too large") {
    send_with(local, memory_file(off_t{1} << 40, sealed));
  }
  SUBCASE("a memory that can shrink") {
    send_with(local, memory_file(1 << 20, 0));
  }
  SUBCASE("a memory of the right size and nothing in it") {
    send_with(local, memory_file(4'096 + 2 * (4'096 + 4'096 + (256 << 10)), sealed));
  }
  SUBCASE("another descriptor") {
    send_with(local, local.descriptor());
  }
  SUBCASE("nothing at all") {
    logged = "within 300 ms";
  }
  CHECK(local.is_closed_by_peer());
  CHECK(half.control.is_closed_by_peer());
  CHECK(l.wait_for_log(logged));
  CHECK(l.node->stats().frames_refused >= 1);
  CHECK(l.node.snapshot().ups.empty());
  l.check_still_serves();
}

TEST_CASE("a dialer does without a listener's local socket that leads nowhere") {
  raw_listener trap;
  test_node dialer(make_socket_network, options(2));
  dialer->connect(trap.at());
  const auto welcome_with = [](raw_peer& to, lane on, const local_offer& offer) {
    REQUIRE(to.receive());
    to.send(*make_welcome(neighbour(66), on, mesh::protocol_version, offer));
  };
  auto control = trap.accept();
  welcome_with(control, lane::control, {"gradmesh-where-nobody-listens", {std::byte{7}}});
  auto bulk = trap.accept();
  welcome_with(bulk, lane::bulk, {});
  CHECK(dialer.wait_for_up());
}

TEST_CASE("a dialer gives up a local socket that does not take its memory, and then does without") {
  const auto name = "gradmesh-test-hostile-" + std::to_string(getpid());
  auto door = shm::listen_at(name);
  REQUIRE(door);
  raw_listener trap;
  auto o = options(2);
  o.handshake_timeout = std::chrono::milliseconds(300);
  test_node dialer(make_socket_network, o);
  const auto accept_control = [&] {
    auto control = trap.accept();
    REQUIRE(control.receive());
    control.send(*make_welcome(neighbour(66), lane::control, mesh::protocol_version,
                               {name, {std::byte{7}}}));
    return control;
  };
  dialer->connect(trap.at());
  auto control = accept_control();
  pollfd knock{door->get(), POLLIN, 0};
  REQUIRE(poll(&knock, 1, 30'000) == 1);
  kj::AutoCloseFd local(accept4(*door, nullptr, nullptr, SOCK_CLOEXEC));
  SUBCASE("and is silent") {
    REQUIRE(dialer.wait_for_failure());
    CHECK(has(dialer.snapshot().failures[0].why.text, "on its local socket within 300 ms"));
  }
  SUBCASE("and closes") {
    local = nullptr;
    REQUIRE(dialer.wait_for_failure());
  }
  dialer->connect(trap.at());
  auto second = accept_control();
  auto bulk = trap.accept();
  REQUIRE(bulk.receive());
  bulk.send(*make_welcome(neighbour(66), lane::bulk, mesh::protocol_version));
  CHECK(dialer.wait_for_up());
}
