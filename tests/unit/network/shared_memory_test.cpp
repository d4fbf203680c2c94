#include "tests/unit/network/shared_memory_pair.hpp"

#include <random>
#include <set>
#include <thread>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using namespace std::chrono_literals;

namespace {

struct shape {
  std::size_t words = 0;
  std::size_t body_bytes = 0;
};

/// Mostly small; now and then larger than anything that is there to hold it.
shape random_shape(std::mt19937_64& random, const shm::sizes& s) {
  shape made{random() % 20, 0};
  if (random() % 16 == 0) made.words = random() % (s.ring_bytes / 2);
  switch (random() % 8) {
  case 0:
  case 1:
  case 2:
    made.body_bytes = random() % 4096;
    break;
  case 3:
  case 4:
  case 5:
    made.body_bytes = random() % 70'000;
    break;
  case 6:
    made.body_bytes = random() % (2 * s.area_bytes);
    break;
  default:
    break;
  }
  return made;
}

/// One end of a random conversation: writes frames by the plan, checks those that come, and keeps
/// some of them for a while.
class talker {
public:
  talker(shm_loop& loop, shm::channel& channel, std::vector<shape> out, std::vector<shape> in,
         std::uint64_t seed)
      : channel_(channel), out_(std::move(out)), in_(std::move(in)), random_(seed),
        reading_(channel_.read_all([this](mesh::frame_ptr f) { return take(std::move(f)); })) {
    loop.wait(write_on());
    channel_.shutdown_write();
    const auto ended = loop.wait(kj::mv(reading_));
    CHECK_MESSAGE(!ended, to_string(ended));
    CHECK(taken_ == in_.size());
    CHECK(wrong_ == 0);
  }

private:
  kj::Promise<void> write_on() {
    std::vector<mesh::frame_ptr> batch;
    for (auto left = random_() % 10 + 1; left > 0 && sent_ < out_.size(); --left, ++sent_)
      batch.push_back(bulk_frame(sent_, out_[sent_].words, out_[sent_].body_bytes));
    if (batch.empty()) return kj::READY_NOW;
    return channel_.write(std::move(batch)).then([this] { return write_on(); });
  }

  error take(mesh::frame_ptr f) {
    if (taken_ >= in_.size() || f->header.message_id != taken_ ||
        !is_intact(*f, in_[taken_].words, in_[taken_].body_bytes))
      ++wrong_;
    ++taken_;
    kept_.push_back(std::move(f));
    while (kept_.size() > 12)
      release();
    if (random_() % 4 == 0) release();
    return {};
  }

  void release() {
    if (kept_.empty()) return;
    std::swap(kept_[random_() % kept_.size()], kept_.back());
    const auto f = std::move(kept_.back());
    kept_.pop_back();
    // Still the same, whatever has arrived since.
    const auto& s = in_.at(f->header.message_id);
    if (!is_intact(*f, s.words, s.body_bytes)) ++wrong_;
  }

  shm::channel& channel_;
  const std::vector<shape> out_, in_;
  std::mt19937_64 random_;
  std::size_t sent_ = 0;
  std::size_t taken_ = 0;
  std::size_t wrong_ = 0;
  std::vector<mesh::frame_ptr> kept_;
  kj::Promise<error> reading_;
};

} // namespace

TEST_CASE("frames of all sizes cross between two threads as they are, both ways at once") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (const auto& sizes : {small_sizes, shm::sizes{64u << 10, 1u << 20}})
    for (const auto spin_time : {0us, 50us}) {
      std::vector<shape> plan[2];
      for (auto& p : plan)
        for (int i = 0; i < 150; ++i)
          p.push_back(random_shape(random, sizes));
      const auto memory = make_memory(sizes);
      auto sockets = connected_sockets();
      const auto talk = [&](std::size_t side, std::uint64_t own_seed) {
        shm_loop loop(spin_time);
        auto channel = loop.open(kj::mv(sockets[side]), memory, side);
        talker(loop, *channel, plan[side], plan[1 - side], own_seed);
      };
      const auto seeds = std::array{random(), random()};
      std::thread other([&] { talk(1, seeds[1]); });
      talk(0, seeds[0]);
      other.join();
    }
}

TEST_CASE("a record may begin and wrap at every offset of the ring") {
  shm_pair p;
  p.b.read();
  const auto& written = p.memory->way(0).block.written;
  std::set<std::uint64_t> offsets;
  std::uint64_t id = 0;
  while (offsets.size() < small_sizes.ring_bytes / 8) {
    offsets.insert(written % small_sizes.ring_bytes);
    const auto words = id % 100; // a record of 112 bytes and 8 for each
    p.a.write({bulk_frame(id, words, id % 3)});
    p.b.wait_for(1);
    REQUIRE(is_intact(*p.b.frames[0], words, id % 3));
    p.b.frames.clear();
    REQUIRE(++id < 100'000);
  }
}

TEST_CASE("a body that is received lies in the shared memory, aligned, and is not copied") {
  shm_pair p;
  p.b.read();
  p.a.write({bulk_frame(1, 2, 50'000), bulk_frame(2, 2, 10'000)});
  p.b.wait_for(2);
  for (const auto& f : p.b.frames) {
    CHECK(is_shared(*f, *p.memory, 0));
    CHECK(reinterpret_cast<std::uintptr_t>(f->body.bytes.data()) % 64 == 0);
  }
  const auto* first = p.b.frames[0]->body.bytes.data();
  p.b.frames.clear();
  p.a.write({bulk_frame(3, 2, 50'000)});
  p.b.wait_for(1);
  CHECK(p.b.frames[0]->body.bytes.data() == first); // the pages that are still in the cache
}

TEST_CASE("frames that are kept hold half of the area at most, and the lane goes on") {
  shm_pair p;
  p.b.read();
  constexpr std::size_t body_bytes = 20'000; // five pages
  constexpr std::size_t frames = 100;        // eight times the area
  std::size_t shared = 0;
  for (std::uint64_t id = 0; id < frames; ++id) {
    p.a.write({bulk_frame(id, 1, body_bytes)});
    p.b.wait_for(id + 1);
    if (is_shared(*p.b.frames.back(), *p.memory, 0)) ++shared;
  }
  CHECK(shared == 6); // 30 of 64 pages
  for (const auto& f : p.b.frames)
    CHECK(is_intact(*f, 1, body_bytes));
  p.b.frames.clear();
  p.a.write({bulk_frame(frames, 1, body_bytes)});
  p.b.wait_for(1);
  CHECK(is_shared(*p.b.frames[0], *p.memory, 0));
}

TEST_CASE("a large body passes in pieces where kept frames leave no long run of pages") {
  shm_pair p;
  p.b.read();
  std::vector<mesh::frame_ptr> batch;
  for (std::uint64_t id = 0; id < 32; ++id)
    batch.push_back(bulk_frame(id, 0, 4'000)); // a page each
  p.a.write(batch);
  p.b.wait_for(32);
  std::deque<mesh::frame_ptr> every_other;
  for (std::size_t i = 0; i < 32; i += 2)
    every_other.push_back(p.b.frames[i]);
  p.b.frames = every_other;
  // In 16 of the other pages and a run of 32 after them.
  p.a.write({bulk_frame(100, 0, 60'000), bulk_frame(101, 0, 1'000'000)});
  p.b.wait_for(18);
  CHECK(is_intact(*p.b.frames[16], 0, 60'000));
  CHECK(is_shared(*p.b.frames[16], *p.memory, 0));
  CHECK(is_intact(*p.b.frames[17], 0, 1'000'000));
  CHECK_FALSE(is_shared(*p.b.frames[17], *p.memory, 0));
}

TEST_CASE("a body waits for a whole run of pages while other frames are on their way") {
  shm_pair p;
  constexpr std::size_t frames = 40;
  std::size_t shared = 0, whole = 0;
  auto reading = p.b.channel->read_all([&](mesh::frame_ptr f) {
    if (is_shared(*f, *p.memory, 0)) ++shared;
    return ++whole == frames ? error{errc::cancelled, "all"} : error{};
  });
  p.a.write(std::vector(frames, bulk_frame(1, 1, 60'000))); // four of them leave four pages
  CHECK(p.loop.wait(kj::mv(reading)).code == errc::cancelled);
  CHECK(shared == frames);
}

TEST_CASE("a write waits while nobody reads and is resolved when somebody does") {
  const auto more_than_the_ring = std::vector(50, bulk_frame(1, 20, 100));
  const auto more_than_the_area = std::vector(5, bulk_frame(1, 0, 64'000));
  for (const auto& frames : {more_than_the_ring, more_than_the_area}) {
    shm_pair p;
    auto writing = p.a.channel->write(frames);
    CHECK_FALSE(writing.poll(p.loop.io.waitScope));
    p.b.read();
    p.loop.wait(kj::mv(writing));
    p.b.wait_for(frames.size());
  }
}

TEST_CASE("a write that lacks pages goes on when another thread drops a frame") {
  shm_pair p;
  // The other end of the lane by hand: one that keeps everything.
  const auto way = p.memory->way(0);
  auto far = connected_sockets();
  auto a = p.loop.open(kj::mv(far[0]), p.memory, 0);
  const auto bell = std::make_shared<shm::doorbell>(kj::mv(far[1]), p.memory, 0);
  const auto pages = std::make_shared<shm::lent_pages>(way, bell);
  shm::ring_reader ring(way);

  auto writing = a->write({6, bulk_frame(1, 0, 64'000)});
  std::vector<mesh::frame_body> kept;
  for (int i = 0; i < 4; ++i) {
    CHECK_FALSE(writing.poll(p.loop.io.waitScope));
    const auto r = ring.next();
    REQUIRE(r);
    REQUIRE(*r);
    ring.skip();
    const auto run = pages->hold((*r)->first_page, (*r)->area_bytes);
    REQUIRE(run);
    kept.push_back(pages->lend(*run, (*r)->area_bytes));
  }
  ring.publish();
  bell->ring(shm::wants_room);
  CHECK_FALSE(writing.poll(p.loop.io.waitScope)); // everything was read, but nothing released
  std::thread user([&] { kept.erase(kept.begin() + 1, kept.begin() + 3); });
  p.loop.wait(kj::mv(writing));
  user.join();
}

TEST_CASE("a frame may outlive its channel, and another thread may drop it") {
  mesh::frame_ptr kept;
  {
    shm_pair p;
    p.b.read();
    p.a.write({bulk_frame(7, 1, 30'000)});
    p.b.wait_for(1);
    kept = p.b.frames[0];
    REQUIRE(is_shared(*kept, *p.memory, 0));
  }
  std::thread user([f = std::move(kept)]() mutable {
    CHECK(is_intact(*f, 1, 30'000));
    f.reset();
  });
  user.join();
}

TEST_CASE("a peer that says so has ended its lane, and the other lane goes on") {
  shm_pair p;
  p.a.read();
  p.b.read();
  p.a.write({bulk_frame(1, 1, 5'000)});
  p.a.channel->shutdown_write();
  CHECK(p.b.wait_for_end() == error{});
  CHECK(p.b.frames.size() == 1);
  p.b.write({bulk_frame(2, 1, 200'000)});
  p.a.wait_for(1);
}

TEST_CASE("a peer that goes is noticed, and what it wrote before is still read") {
  shm_pair p;
  p.a.write({bulk_frame(1, 1, 5'000), bulk_frame(2, 1, 5)});
  p.a.channel = nullptr;
  p.b.read();
  CHECK(p.b.wait_for_end() == error{});
  CHECK(p.b.frames.size() == 2);
  CHECK_THROWS_AS(p.b.write({bulk_frame(3, 1, 5)}), kj::Exception);
}

TEST_CASE("a peer that goes is noticed while frames of its are still in use there") {
  shm_pair p;
  p.a.read();
  p.b.read();
  p.b.write({bulk_frame(1, 1, 50'000)});
  p.a.wait_for(1);
  REQUIRE(is_shared(*p.a.frames[0], *p.memory, 1));
  p.a.channel = nullptr;
  CHECK(p.b.wait_for_end() == error{});
}

TEST_CASE("a peer that goes within a frame is lost") {
  shm_pair p;
  auto writing = p.a.channel->write({bulk_frame(1, 1, 1'000'000)});
  CHECK_FALSE(writing.poll(p.loop.io.waitScope));
  p.a.channel = nullptr;
  p.b.read();
  CHECK(p.b.wait_for_end().code == errc::node_lost);
  CHECK(p.b.frames.empty());
}

TEST_CASE("a write to a peer that goes is given up") {
  shm_pair p;
  auto writing = p.a.channel->write({9, bulk_frame(1, 1, 100'000)});
  CHECK_FALSE(writing.poll(p.loop.io.waitScope));
  p.b.channel = nullptr;
  CHECK_THROWS_AS(p.loop.wait(kj::mv(writing)), kj::Exception);
}

TEST_CASE("the handler's error ends the reading") {
  shm_pair p;
  int frames = 0;
  auto reading = p.b.channel->read_all([&](mesh::frame_ptr) {
    return ++frames == 2 ? error{errc::refused, "enough"} : error{};
  });
  p.a.write({5, bulk_frame(1, 1, 10)});
  CHECK(p.loop.wait(kj::mv(reading)) == error{errc::refused, "enough"});
  CHECK(frames == 2);
}

TEST_CASE("the handler may answer at once") {
  shm_pair p;
  kj::Promise<void> answering = nullptr;
  auto reading = p.b.channel->read_all([&](mesh::frame_ptr f) {
    answering = p.b.channel->write({std::move(f)});
    return error{};
  });
  p.a.read();
  for (std::uint64_t id = 0; id < 100; ++id) {
    p.a.write({bulk_frame(id, 1, id * 500)});
    p.a.wait_for(id + 1);
    CHECK(is_intact(*p.a.frames.back(), 1, id * 500));
  }
}
