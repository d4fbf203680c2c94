#include "actors/env/network/shared_memory/handover.hpp"
#include "tests/unit/network/shared_memory_pair.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <functional>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;

namespace {

kj::AutoCloseFd copy_of(int descriptor) {
  return kj::AutoCloseFd(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}

constexpr int fixed_size = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

/// A memory file as a peer could make it.
kj::AutoCloseFd forged(std::size_t bytes, int seals, std::vector<std::uint64_t> begin,
                       unsigned flags = 0) {
  kj::AutoCloseFd fd(memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags));
  if (fd.get() < 0) return fd; // this system has no huge pages
  REQUIRE(ftruncate(fd, static_cast<off_t>(bytes)) == 0);
  if (!begin.empty()) REQUIRE(pwrite(fd, begin.data(), 8 * begin.size(), 0) > 0);
  REQUIRE(fcntl(fd, F_ADD_SEALS, seals) == 0);
  return fd;
}

errc fate_of(kj::AutoCloseFd received) {
  const auto adopted = shm::memory::adopt(kj::mv(received));
  if (adopted) return errc::none;
  CHECK(adopted.failure().text.size() > 20);
  return adopted.failure().code;
}

std::string unused_name(const char* what) {
  return "gradmesh-test-" + std::to_string(getpid()) + "-" + what;
}

struct unix_pair {
  unix_pair() : sockets(connected_sockets()) {
    for (std::size_t i = 0; i < 2; ++i)
      ends[i] = loop.io.lowLevelProvider->wrapUnixSocketFd(kj::mv(sockets[i]));
  }
  shm_loop loop;
  std::array<kj::AutoCloseFd, 2> sockets;
  std::array<kj::Own<kj::AsyncCapabilityStream>, 2> ends;
};

} // namespace

TEST_CASE("a memory that was adopted is the one that was created") {
  const auto made = make_memory({8u << 10, 512u << 10});
  const auto adopted = shm::memory::adopt(copy_of(made->descriptor()));
  REQUIRE(adopted);
  const auto& other = **adopted;
  CHECK(other.size() == made->size());
  for (std::size_t i = 0; i < 2; ++i) {
    const auto here = made->way(i), there = other.way(i);
    CHECK(here.ring.size() == 8u << 10);
    CHECK(here.area.size() == 512u << 10);
    CHECK(here.released.size() == 2);
    const auto mark = static_cast<std::uint8_t>(1 + i);
    here.block.written = mark;
    here.released.back() = mark;
    here.ring.back() = std::byte{mark};
    here.area.front() = here.area.back() = std::byte{mark};
    made->asleep(i) = mark;
    CHECK(there.block.written == mark);
    CHECK(there.released.back() == mark);
    CHECK(there.ring.back() == std::byte{mark});
    CHECK(there.area.front() == std::byte{mark});
    CHECK(there.area.back() == std::byte{mark});
    CHECK(other.asleep(i) == mark);
  }
  CHECK(made->way(0).block.written == 1); // and not what the second direction wrote
  CHECK(made->way(0).area.back() == std::byte{1});
}

TEST_CASE("the size of a memory cannot be changed any more") {
  const auto made = make_memory();
  CHECK(ftruncate(made->descriptor(), 4096) != 0);
  CHECK(ftruncate(made->descriptor(), 1 << 30) != 0);
  CHECK(fcntl(made->descriptor(), F_ADD_SEALS, F_SEAL_WRITE) != 0);
}

TEST_CASE("sizes that cannot be are refused") {
  for (const auto& s :
       {shm::sizes{0, 256u << 10}, shm::sizes{5'000, 256u << 10}, shm::sizes{2'048, 256u << 10},
        shm::sizes{1ull << 40, 256u << 10}, shm::sizes{4'096, 0}, shm::sizes{4'096, 4'096},
        shm::sizes{4'096, 1ull << 40}}) {
    const auto made = shm::memory::create(s);
    REQUIRE_FALSE(made);
    CHECK(made.failure().code == errc::invalid_argument);
  }
}

TEST_CASE("what a peer passes off as memory is refused unless it is just that") {
  const std::uint64_t ring = 4'096, area = 256u << 10;
  const std::size_t bytes = 4'096 + 2 * (4'096 + ring + area);
  CHECK(fate_of(forged(bytes, fixed_size, {shm::region_magic, ring, area})) == errc::none);

  CHECK(fate_of(forged(bytes, 0, {shm::region_magic, ring, area})) == errc::malformed_message);
  for (const int missing : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL})
    CHECK(fate_of(forged(bytes, fixed_size & ~missing, {shm::region_magic, ring, area})) ==
          errc::malformed_message);
  CHECK(fate_of(forged(bytes, fixed_size | F_SEAL_WRITE, {shm::region_magic, ring, area})) ==
        errc::io_failed);
  CHECK(fate_of(forged(bytes, fixed_size, {})) == errc::malformed_message);
  CHECK(fate_of(forged(bytes, fixed_size, {shm::region_magic + 1, ring, area})) ==
        errc::malformed_message);
  for (const auto& s : {shm::sizes{2 * ring, area}, shm::sizes{ring, 2 * area}, shm::sizes{0, 0},
                        shm::sizes{ring, 1ull << 63}, shm::sizes{1ull << 63, area}})
    CHECK(fate_of(forged(bytes, fixed_size, {shm::region_magic, s.ring_bytes, s.area_bytes})) ==
          errc::malformed_message);
  const std::uint64_t odd_ring = 3 * 4'096;
  CHECK(fate_of(forged(bytes + 2 * (odd_ring - ring), fixed_size,
                       {shm::region_magic, odd_ring, area})) == errc::malformed_message);
  CHECK(fate_of(forged(0, fixed_size, {})) == errc::malformed_message);
  CHECK(fate_of(forged(4'096, fixed_size, {shm::region_magic, ring, area})) ==
        errc::malformed_message);
  CHECK(fate_of(forged(1ull << 42, fixed_size, {shm::region_magic, ring, area})) ==
        errc::malformed_message);

  const auto read_only = [&](const kj::AutoCloseFd& fd) {
    return kj::AutoCloseFd(
        open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_RDONLY | O_CLOEXEC));
  };
  CHECK(fate_of(read_only(forged(bytes, fixed_size, {shm::region_magic, ring, area}))) ==
        errc::io_failed);
  CHECK(fate_of(kj::AutoCloseFd(open("/dev/null", O_RDWR | O_CLOEXEC))) == errc::malformed_message);
  CHECK(fate_of(kj::mv(connected_sockets()[0])) == errc::malformed_message);
  auto huge = forged(2u << 20, fixed_size, {}, MFD_HUGETLB);
  if (huge.get() >= 0) CHECK(fate_of(kj::mv(huge)) == errc::malformed_message);
}

TEST_CASE("memory passes from one process's socket to the other's") {
  unix_pair p;
  const auto made = make_memory();
  auto sending = shm::send_memory(*p.ends[0], *made);
  const auto received = p.loop.wait(shm::receive_memory(*p.ends[1]));
  CHECK(p.loop.wait(kj::mv(sending)));
  REQUIRE(received);
  made->way(1).block.read = 17;
  CHECK((*received)->way(1).block.read == 17);
}

TEST_CASE("bytes without memory, other descriptors and silence are refused") {
  unix_pair p;
  const auto outcome = [&] {
    const auto got = p.loop.wait(shm::receive_memory(*p.ends[1]));
    REQUIRE_FALSE(got);
    return got.failure().code;
  };
  p.loop.wait(p.ends[0]->write("x", 1));
  CHECK(outcome() == errc::malformed_message);
  p.loop.wait(p.ends[0]->sendFd(0));
  CHECK(outcome() == errc::malformed_message);
  p.ends[0] = nullptr;
  CHECK(outcome() == errc::node_lost);
}

TEST_CASE("memory that the peer does not take is not taken for delivered") {
  unix_pair p;
  auto sending = shm::send_memory(*p.ends[0], *make_memory());
  CHECK_FALSE(sending.poll(p.loop.io.waitScope));
  p.ends[1] = nullptr;
  const auto sent = p.loop.wait(kj::mv(sending).catch_([](kj::Exception&&) {
    return result<void>(errc::node_lost, "reset, since it left bytes unread");
  }));
  REQUIRE_FALSE(sent);
  CHECK(sent.failure().code == errc::node_lost);
}

TEST_CASE("processes of one user find each other by a name in the abstract namespace") {
  shm_loop loop;
  const auto name = unused_name("meet");
  auto listening = shm::listen_at(name);
  REQUIRE(listening);
  const auto again = shm::listen_at(name);
  REQUIRE_FALSE(again);
  CHECK(again.failure().code == errc::io_failed);

  auto dialled = shm::connect_to(name);
  REQUIRE(dialled);
  CHECK(shm::check_same_user(*dialled));
  kj::AutoCloseFd accepted(accept4(*listening, nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(accepted.get() >= 0);
  CHECK(shm::check_same_user(accepted));

  *listening = nullptr;
  CHECK(shm::listen_at(name)); // nothing is left behind
}

TEST_CASE("nobody under a name, and a name too long, are told") {
  const auto nobody = shm::connect_to(unused_name("nobody"));
  REQUIRE_FALSE(nobody);
  CHECK(nobody.failure().code == errc::unreachable);
  const std::string longest(107, 'x');
  CHECK(shm::listen_at(longest));
  const auto too_long = shm::listen_at(longest + "x");
  REQUIRE_FALSE(too_long);
  CHECK(too_long.failure().code == errc::invalid_argument);
}

TEST_CASE("a name that a peer gives cannot carry control characters into logs") {
  const auto nobody = shm::connect_to("evil\x1b[2J\nname");
  REQUIRE_FALSE(nobody);
  CHECK(nobody.failure().text.find("'evil\\x1b[2J\\x0aname'") != std::string::npos);
}

TEST_CASE("a process of another user is refused on both sides") {
  if (geteuid() != 0) {
    MESSAGE("skipped: only root can become another user");
    return;
  }
  constexpr uid_t nobody = 65534;
  const auto name = unused_name("stranger");
  auto listening = shm::listen_at(name);
  REQUIRE(listening);
  const auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (setuid(nobody) != 0) _exit(1);
    const auto dialled = shm::connect_to(name);
    if (!dialled) _exit(2);
    const auto checked = shm::check_same_user(*dialled);
    _exit(!checked && checked.failure().code == errc::refused ? 0 : 3);
  }
  kj::AutoCloseFd accepted;
  while (accepted.get() < 0) // the listening socket does not block
    accepted = kj::AutoCloseFd(accept4(*listening, nullptr, nullptr, SOCK_CLOEXEC));
  const auto checked = shm::check_same_user(accepted);
  REQUIRE_FALSE(checked);
  CHECK(checked.failure().code == errc::refused);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
