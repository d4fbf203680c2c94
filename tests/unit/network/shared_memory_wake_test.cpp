#include "tests/unit/network/shared_memory_pair.hpp"

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using namespace std::chrono_literals;

namespace {

struct counting final : env::pollable {
  bool poll() override {
    ++polls;
    return std::exchange(has_work, false);
  }
  bool sleep() override {
    ++sleeps;
    return true;
  }
  bool has_work = false;
  std::uint64_t polls = 0;
  std::uint64_t sleeps = 0;
};

struct counted_loop : shm_loop {
  explicit counted_loop(std::chrono::microseconds spin_time) : shm_loop(spin_time) {
    spin.add(channel);
  }
  ~counted_loop() { spin.remove(channel); }

  /// Polls until the channel sleeps.
  std::uint64_t polls_of_a_wake() {
    const auto polls = channel.polls;
    const auto sleeps = channel.sleeps;
    spin.wake();
    while (channel.sleeps == sleeps)
      kj::evalLater([] {}).wait(io.waitScope);
    return channel.polls - polls;
  }

  counting channel;
};

/// More polls than a loop that does not spin has use for.
constexpr std::uint64_t many = 100;

} // namespace

TEST_CASE("a loop without traffic polls for the spin time, then sleeps and polls no more") {
  for (const auto spin_time : {0us, 50'000us}) {
    counted_loop loop(spin_time);
    const auto begin = std::chrono::steady_clock::now();
    const auto polls = loop.polls_of_a_wake();
    CHECK(std::chrono::steady_clock::now() - begin >= spin_time);
    CHECK((polls > many) == (spin_time > 0us));
    const auto before = loop.channel.polls;
    loop.io.provider->getTimer().afterDelay(5 * kj::MILLISECONDS).wait(loop.io.waitScope);
    CHECK(loop.channel.polls == before);
    CHECK(loop.channel.sleeps == 1);
  }
}

TEST_CASE("a spin in vain is not repeated before spinning would have paid") {
  counted_loop loop(200ms);
  const auto work = [&] {
    loop.channel.has_work = true;
    return loop.polls_of_a_wake();
  };
  CHECK(loop.polls_of_a_wake() > many);
  CHECK(loop.polls_of_a_wake() < many);
  // Two short sleeps after one failure, four after two.
  CHECK(work() < many);
  CHECK(work() > many);
  CHECK(work() < many);
  CHECK(work() < many);
  CHECK(work() < many);
  CHECK(work() > many);
}

TEST_CASE("a record that comes while the loop goes to sleep is found") {
  /// Writes one when the channels have been polled in vain but do not yet sleep.
  struct late_writer final : env::pollable {
    explicit late_writer(shm::direction way) : ring(way) {}
    bool poll() override { return false; }
    bool sleep() override {
      if (std::exchange(written, true)) return true;
      const auto f = bulk_frame(1, 0, 0);
      const shm::record r{mesh::frame_header_bytes, 0, 0};
      ring.put(std::as_bytes(std::span(&r, 1)));
      ring.put(mesh::encode_header(*f));
      ring.publish(); // nobody sleeps, so nobody is woken
      return true;
    }
    shm::ring_writer ring;
    bool written = false;
  };
  shm_loop loop;
  const auto memory = make_memory();
  auto sockets = connected_sockets();
  late_writer writer(memory->way(0));
  loop.spin.add(writer);
  shm_end victim(loop, kj::mv(sockets[1]), memory, 1);
  victim.read();
  victim.wait_for(1);
  loop.io.waitScope.poll();
  CHECK(memory->asleep(1).load() == shm::wants_records); // after it, it sleeps again
  loop.spin.remove(writer);
}

TEST_CASE("other work of the loop has its turn while frames come and go") {
  const auto many_frames = std::vector(1'000, bulk_frame(1, 1, 10));
  const auto many_bytes = std::vector(12, bulk_frame(1, 1, 500'000));
  for (const auto& frames : {many_frames, many_bytes}) {
    shm_pair p(shm::sizes{});
    p.a.write(frames);
    bool other_work = false;
    std::size_t before_other_work = 0;
    kj::Promise<void> other = nullptr;
    std::size_t count = 0;
    auto reading = p.b.channel->read_all([&](mesh::frame_ptr) {
      if (count == 0) other = kj::evalLater([&] { other_work = true; }).eagerlyEvaluate(nullptr);
      if (!other_work) ++before_other_work;
      return ++count == frames.size() ? error{errc::cancelled, "all"} : error{};
    });
    CHECK(p.loop.wait(kj::mv(reading)).code == errc::cancelled);
    CHECK(before_other_work < frames.size() / 2);
  }

  shm_pair p(shm::sizes{});
  auto writing = p.a.channel->write(many_bytes);
  const auto all = many_bytes.size() * shm::record_bytes(mesh::frame_header_bytes + 8);
  CHECK(p.memory->way(0).block.written < all / 2);
  p.loop.wait(kj::mv(writing));
  CHECK(p.memory->way(0).block.written == all);
}

TEST_CASE("a peer that sleeps is woken once, and one that is awake is left alone") {
  auto sockets = connected_sockets();
  const auto memory = make_memory();
  shm_loop loop;
  auto a = loop.open(kj::mv(sockets[0]), memory, 0);
  const auto write = [&] { loop.wait(a->write({bulk_frame(1, 1, 1)})); };
  const auto wake_ups = [&] {
    char bytes[16];
    const auto got = ::recv(sockets[1], bytes, sizeof(bytes), MSG_DONTWAIT);
    return got < 0 ? 0 : got;
  };
  write();
  CHECK(wake_ups() == 0);
  memory->asleep(1).store(shm::wants_room);
  write();
  CHECK(wake_ups() == 0); // records are not what it waits for
  memory->asleep(1).store(shm::wants_records | shm::wants_room);
  write();
  write();
  CHECK(wake_ups() == 1);
  memory->asleep(1).store(shm::wants_records);
  a->shutdown_write();
  CHECK(wake_ups() == 1);
}
