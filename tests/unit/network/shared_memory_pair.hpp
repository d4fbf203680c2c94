#pragma once

/// Two ends of a shared memory for tests, in one event loop.

#include "actors/env/network/shared_memory/channel.hpp"
#include "tests/unit/network/test_node.hpp"

#include <sys/socket.h>

#include <deque>
#include <thread>

namespace gradmesh::env::test {

inline constexpr shm::sizes small_sizes{4u << 10, 256u << 10};
inline const mesh::node_identity shm_sender = identity(1);

inline mesh::frame_ptr bulk_frame(std::uint64_t id, std::size_t words, std::size_t body_bytes) {
  return make_frame(shm_sender, mesh::lane::bulk, id, words, body_bytes);
}

inline std::array<kj::AutoCloseFd, 2> connected_sockets() {
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  return {kj::AutoCloseFd(fds[0]), kj::AutoCloseFd(fds[1])};
}

inline std::shared_ptr<shm::memory> make_memory(const shm::sizes& s = small_sizes) {
  auto made = shm::memory::create(s);
  REQUIRE(made);
  return *made;
}

struct shm_loop {
  explicit shm_loop(std::chrono::microseconds spin_time = std::chrono::microseconds(0))
      : spin(spin_time) {
    io.waitScope.setBusyPollInterval(64); // as the network does
  }

  kj::Own<shm::channel> open(kj::AutoCloseFd socket, std::shared_ptr<shm::memory> m,
                             std::size_t side) {
    auto opened =
        shm::channel::open(io.lowLevelProvider->wrapSocketFd(kj::mv(socket)), m, side, spin);
    REQUIRE(opened);
    return kj::mv(*opened);
  }

  template <class T>
  auto wait(kj::Promise<T> promise) {
    return io.provider->getTimer()
        .timeoutAfter(patience.count() * kj::SECONDS, kj::mv(promise))
        .wait(io.waitScope);
  }

  /// Runs until `done` holds.
  template <class Condition>
  void run_until(Condition done) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      io.waitScope.poll();
      std::this_thread::yield(); // to the process or thread at the other end, if there is one
    }
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  env::spinner spin;
};

/// A channel that keeps the frames it reads.
struct shm_end {
  shm_end(shm_loop& l, kj::AutoCloseFd socket, std::shared_ptr<shm::memory> m, std::size_t side)
      : loop(l), channel(l.open(kj::mv(socket), std::move(m), side)) {}

  void read() {
    reading = channel
                  ->read_all([this](mesh::frame_ptr f) {
                    frames.push_back(std::move(f));
                    return error{};
                  })
                  .then([this](error why) { ended = std::move(why); })
                  .eagerlyEvaluate(nullptr);
  }
  void write(std::vector<mesh::frame_ptr> some) { loop.wait(channel->write(std::move(some))); }
  void wait_for(std::size_t count) {
    loop.run_until([&] { return frames.size() >= count || ended; });
    REQUIRE(frames.size() == count);
  }
  error wait_for_end() {
    loop.run_until([&] { return ended.has_value(); });
    return *ended;
  }

  shm_loop& loop;
  kj::Own<shm::channel> channel;
  std::deque<mesh::frame_ptr> frames;
  std::optional<error> ended;
  kj::Promise<void> reading = nullptr;
};

/// Two channels; the memory is mapped once, so that ThreadSanitizer sees all there is to see.
struct shm_pair {
  explicit shm_pair(const shm::sizes& s = small_sizes,
                    std::chrono::microseconds spin_time = std::chrono::microseconds(0))
      : loop(spin_time), memory(make_memory(s)), sockets(connected_sockets()),
        a(loop, kj::mv(sockets[0]), memory, 0), b(loop, kj::mv(sockets[1]), memory, 1) {}

  shm_loop loop;
  std::shared_ptr<shm::memory> memory;
  std::array<kj::AutoCloseFd, 2> sockets;
  shm_end a, b;
};

/// Whether a body lies in the memory rather than in a copy.
inline bool is_shared(const mesh::frame& f, const shm::memory& m, std::size_t direction) {
  const auto area = m.way(direction).area;
  const auto* at = f.body.bytes.data();
  return std::less_equal<>{}(area.data(), at) && std::less<>{}(at, area.data() + area.size());
}

} // namespace gradmesh::env::test
