#include "tests/unit/network/shared_memory_pair.hpp"

#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;

namespace {

/// A victim that reads, and the other side of its memory by hand.
struct hostile_peer {
  explicit hostile_peer(const shm::sizes& s = small_sizes)
      : memory(make_memory(s)), sockets(connected_sockets()),
        victim(loop, kj::mv(sockets[0]), memory, 1), bell(kj::mv(sockets[1]), memory, 1),
        way(memory->way(0)), ring(way) {
    victim.read();
  }

  void put(shm::record r, std::span<const std::byte> bytes) {
    r.inline_bytes = static_cast<std::uint32_t>(bytes.size());
    put_raw(r, bytes);
  }
  void put_raw(const shm::record& r, std::span<const std::byte> bytes) {
    ring.put(std::as_bytes(std::span(&r, 1)));
    ring.put(bytes);
    ring.pad();
    ring.publish();
  }
  /// A frame whose body lies in the area from `first_page` on.
  void put_frame(const mesh::frame& f, std::uint32_t first_page) {
    put({0, first_page, f.body.bytes.size()}, head_of(f));
  }

  static std::vector<std::byte> head_of(const mesh::frame& f) {
    const auto header = mesh::encode_header(f);
    std::vector<std::byte> head(header.begin(), header.end());
    const auto metadata = std::as_bytes(std::span(f.metadata));
    head.insert(head.end(), metadata.begin(), metadata.end());
    return head;
  }

  error ending() {
    bell.ring(shm::wants_records);
    return victim.wait_for_end();
  }

  shm_loop loop;
  std::shared_ptr<shm::memory> memory;
  std::array<kj::AutoCloseFd, 2> sockets;
  shm_end victim;
  shm::doorbell bell;
  shm::direction way;
  shm::ring_writer ring;
};

constexpr std::uint32_t pages = small_sizes.area_bytes / shm::page_bytes;

struct forgery {
  const char* name;
  std::function<void(hostile_peer&)> commit;
  const char* complaint; // within the text of the error
  errc expected = errc::malformed_message;
};

const mesh::frame_ptr honest = bulk_frame(1, 4, 10'000); // three pages

const forgery forgeries[] = {
    {"a write index beyond the ring",
     [](auto& h) { h.way.block.written = small_sizes.ring_bytes + 8; }, "write index"},
    {"a write index far beyond the ring", [](auto& h) { h.way.block.written = ~0ull - 7; },
     "write index"},
    {"a write index that goes back",
     [](auto& h) {
       h.put_frame(*honest, 0);
       h.bell.ring(shm::wants_records);
       h.victim.wait_for(1);
       h.way.block.written = 8;
     },
     "write index"},
    {"a write index within a record's header", [](auto& h) { h.way.block.written = 8; },
     "the shared ring holds 8"},
    {"a record longer than what is there",
     [](auto& h) {
       h.put_raw({4'000, 0, 0}, h.head_of(*honest));
     },
     "a record of 4016 bytes"},
    {"a record as long as can be",
     [](auto& h) {
       h.put_raw({~0u, 0, 0}, h.head_of(*honest));
     },
     "a record of 4294967312 bytes"},
    {"a record without a byte", [](auto& h) { h.put({}, {}); }, "without any byte"},
    {"a record too short for a header",
     [](auto& h) {
       const auto head = h.head_of(*honest);
       h.put({}, std::span(head).first(95));
     },
     "where a frame with its header"},
    {"a header that is none", [](auto& h) { h.put({}, std::vector<std::byte>(96)); }, "GMSH"},
    {"a body beyond the limit",
     [](auto& h) {
       auto f = *honest;
       f.header.body_bytes = mesh::body_bytes_max + 1;
       h.put({}, h.head_of(f));
     },
     "are allowed", errc::limit_exceeded},
    {"a wrong checksum",
     [](auto& h) {
       auto head = h.head_of(*honest);
       head.back() ^= std::byte{1};
       h.put({0, 0, 10'000}, head);
     },
     "checksum"},
    {"inline bytes that no frame has",
     [](auto& h) {
       auto head = h.head_of(*bulk_frame(1, 4, 3));
       head.resize(head.size() + 4);
       h.put({}, head);
     },
     "a body of which 3 are missing"},
    {"more bytes in the area than the frame has",
     [](auto& h) {
       h.put({0, 0, 10'001}, h.head_of(*honest));
     },
     "a body of which 10000 are missing"},
    {"more bytes in ring and area than the frame has",
     [](auto& h) {
       auto head = h.head_of(*honest);
       head.resize(head.size() + 1);
       h.put({0, 0, 10'000}, head);
     },
     "a body of which 10000 are missing"},
    {"more bytes in the area than fit into a number",
     [](auto& h) {
       h.put({0, 0, ~0ull}, h.head_of(*honest));
     },
     "a body of which 10000 are missing"},
    {"more bytes in ring and area than fit into a number",
     [](auto& h) {
       auto head = h.head_of(*honest);
       head.resize(head.size() + 1);
       h.put({0, 0, ~0ull}, head);
     },
     "a body of which 10000 are missing"},
    {"pages before the metadata is complete",
     [](auto& h) {
       const auto head = h.head_of(*honest);
       h.put({0, 0, 10'000}, std::span(head).first(96 + 8));
     },
     "before the metadata"},
    {"pages that begin outside of the area", [](auto& h) { h.put_frame(*honest, pages); },
     "the shared area has 64 pages"},
    {"pages far outside of the area", [](auto& h) { h.put_frame(*honest, ~0u); },
     "the shared area has 64 pages"},
    {"pages that end outside of the area", [](auto& h) { h.put_frame(*honest, pages - 2); },
     "the shared area has 64 pages"},
    {"a body longer than the area",
     [](auto& h) { h.put_frame(*bulk_frame(1, 0, small_sizes.area_bytes + 1), 0); },
     "the shared area has 64 pages"},
    {"pages that hold another frame",
     [](auto& h) {
       h.put_frame(*honest, 10);
       h.put_frame(*honest, 12);
     },
     "hold another frame"},
};

} // namespace

TEST_CASE("nonsense in the shared memory ends the reading, and nothing else") {
  for (const auto& f : forgeries) {
    CAPTURE(std::string(f.name));
    hostile_peer h;
    f.commit(h);
    const auto why = h.ending();
    CHECK_MESSAGE(why.code == f.expected, to_string(why));
    CHECK_MESSAGE(why.text.find(f.complaint) != std::string::npos, why.text);
    for (const auto& received : h.victim.frames)
      CHECK(received->body.bytes.size() == 10'000);
  }
}

TEST_CASE("the last pages of the area, and pages that were released, are no nonsense") {
  hostile_peer h;
  h.put_frame(*honest, pages - 3);
  h.bell.ring(shm::wants_records);
  h.victim.wait_for(1);
  h.victim.frames.clear();
  h.put_frame(*honest, pages - 4);
  h.bell.ring(shm::wants_records);
  h.victim.wait_for(1);
  CHECK(is_shared(*h.victim.frames[0], *h.memory, 0));
}

TEST_CASE("runs of pages are checked whatever their length") {
  const auto memory = make_memory();
  const auto bell = std::make_shared<shm::doorbell>(kj::mv(connected_sockets()[0]), memory, 0);
  const auto lent = std::make_shared<shm::lent_pages>(memory->way(0), bell);
  for (const std::uint64_t bytes : {std::uint64_t{small_sizes.area_bytes} + 1, ~std::uint64_t{0}})
    for (const std::size_t first : {0u, 1u, pages, ~0u})
      CHECK_FALSE(lent->hold(first, bytes));
  REQUIRE(lent->hold(1, 70'000)); // pages 1 to 18
  for (const std::size_t first : {0, 1, 18})
    CHECK_FALSE(lent->hold(first, 5'000));
  CHECK(lent->hold(0, 4'096));
  CHECK(lent->hold(19, 1));
}

TEST_CASE("a read index that cannot be ends writing and reading") {
  for (const auto forged : {std::uint64_t{1} << 40, ~std::uint64_t{0} - 100'000}) {
    hostile_peer h;
    h.memory->way(1).block.read = forged;
    auto writing = h.victim.channel->write({100, bulk_frame(1, 20, 100)});
    CHECK_THROWS_AS(h.loop.wait(kj::mv(writing)), kj::Exception);
    CHECK(h.ending().code == errc::malformed_message);
  }
}

TEST_CASE("pages that are not out cannot be released") {
  shm_pair p;
  for (auto& word : p.memory->way(0).released)
    word = ~std::uint64_t{0};
  p.b.read();
  p.a.write({bulk_frame(1, 0, 50'000), bulk_frame(2, 0, 50'000)});
  p.b.wait_for(2);
  CHECK(is_intact(*p.b.frames[0], 0, 50'000));
  CHECK(is_intact(*p.b.frames[1], 0, 50'000));
}

TEST_CASE("random faults in ring, records and indices end in an error or in frames") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  std::size_t ended = 0;
  std::uint64_t touched = 0;
  constexpr int rounds = 1'500;
  for (int round = 0; round < rounds; ++round) {
    hostile_peer h;
    for (int i = 0; i < 6; ++i) {
      const auto f = bulk_frame(i, random() % 10, random() % 30'000);
      h.put_frame(*f, static_cast<std::uint32_t>(8 * i));
    }
    for (auto faults = random() % 4; faults-- > 0;)
      h.way.ring[random() % 1'200] = static_cast<std::byte>(random());
    if (random() % 4 == 0) h.way.block.written = random() % (2 * small_sizes.ring_bytes);
    for (auto bits = random() % 3; bits-- > 0;)
      h.way.released[0].fetch_or(random());
    h.bell.hang_up(); // so that there is an end in any case
    const auto why = h.victim.wait_for_end();
    if (why) ++ended;
    for (const auto& f : h.victim.frames)
      for (const auto b : f->body.bytes)
        touched += std::to_integer<unsigned>(b);
  }
  MESSAGE(ended << " of " << rounds << " ended in an error, sum " << touched);
  CHECK(ended > rounds / 2);
}

#ifndef __SANITIZE_THREAD__ // which would rightly call it a race
TEST_CASE("a peer that writes anything anywhere while we read does no harm") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 100; ++round) {
    hostile_peer h;
    std::atomic<bool> enough{false};
    std::thread scribbler([&, own = std::mt19937_64(random())]() mutable {
      while (!enough) {
        const auto f = bulk_frame(own(), own() % 8, own() % 9'000);
        const auto head = h.head_of(*f);
        if (const auto room = h.ring.has_room(shm::record_bytes(head.size())); !room || !*room)
          continue;
        h.put({0, static_cast<std::uint32_t>(own() % pages), f->body.bytes.size()}, head);
        h.way.ring[own() % h.way.ring.size()] = static_cast<std::byte>(own());
        h.bell.ring(shm::wants_records);
      }
    });
    const auto why = h.victim.wait_for_end();
    enough = true;
    scribbler.join();
    CHECK_MESSAGE((why.code == errc::malformed_message || why.code == errc::limit_exceeded),
                  to_string(why));
  }
}
#endif

TEST_CASE("a peer that is killed while it writes is noticed, and complete frames stay") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 8; ++round) {
    const auto memory = make_memory();
    auto sockets = connected_sockets();
    const auto child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      sockets[1] = nullptr;
      shm_loop loop;
      auto channel = loop.open(kj::mv(sockets[0]), memory, 0);
      for (std::uint64_t id = 0;; ++id)
        channel->write({bulk_frame(id, id % 5, id * 1'000 % 400'000)}).wait(loop.io.waitScope);
    }
    sockets[0] = nullptr;
    shm_loop loop;
    shm_end end(loop, kj::mv(sockets[1]), memory, 1);
    end.read();
    const auto enough = random() % 300;
    loop.run_until([&] { return end.frames.size() > enough; });
    kill(child, SIGKILL);
    const auto why = end.wait_for_end();
    CHECK_MESSAGE((!why || why.code == errc::node_lost), to_string(why));
    CHECK(waitpid(child, nullptr, 0) == child);
    for (std::size_t i = 0; i < end.frames.size(); ++i) {
      const auto id = end.frames[i]->header.message_id;
      REQUIRE(id == i);
      REQUIRE(is_intact(*end.frames[i], id % 5, id * 1'000 % 400'000));
    }
  }
}
