// Back-pressure: what a receiver has not dealt with bounds what a sender may send.

#include "actors/env/network/receive_window.hpp"
#include "actors/env/network/send_queue.hpp"
#include "tests/unit/network/raw_peer.hpp"
#include "tests/unit/network/test_node.hpp"

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::lane;

namespace {

const greeting stranger{identity(66), {}, "gradmesh", "stranger", {mesh::role::worker}, {}};

mesh::frame_ptr frame_of(std::size_t wire_bytes, std::uint8_t priority = 0, std::uint64_t id = 1) {
  auto f = std::make_shared<mesh::frame>(
      *make_frame(identity(1), lane::bulk, id, 0, wire_bytes - mesh::frame_header_bytes));
  f->header.priority = priority;
  return f;
}

std::vector<std::uint64_t> ids(const std::vector<mesh::frame_ptr>& frames) {
  std::vector<std::uint64_t> found;
  for (const auto& f : frames)
    found.push_back(f->header.message_id);
  return found;
}

} // namespace

TEST_CASE("without credit one frame leaves, and the next ones when it is freed") {
  std::atomic<std::uint64_t> total{0};
  send_queue queue(1u << 20, total);
  for (std::uint64_t id = 1; id <= 4; ++id)
    (void)queue.push(frame_of(1'000, 0, id));
  CHECK(ids(queue.take()) == std::vector<std::uint64_t>{1});
  CHECK(queue.take().empty());
  CHECK(queue.credit(0, 1'999) == send_queue::credited::wake_writer);
  CHECK(queue.take().empty()); // 2,000 bytes would be outstanding
  CHECK(queue.credit(1'000, 2'000) == send_queue::credited::wake_writer);
  CHECK(ids(queue.take()) == std::vector<std::uint64_t>{2, 3});
  CHECK(queue.take().empty());
  CHECK(queue.credit(2'000, 2'000) == send_queue::credited::wake_writer);
  CHECK(ids(queue.take()) == std::vector<std::uint64_t>{4});
  CHECK(queue.credit(4'001, 2'000) == send_queue::credited::impossible);
}

TEST_CASE("a frame larger than the window leaves when nothing is outstanding") {
  std::atomic<std::uint64_t> total{0};
  send_queue queue(1u << 20, total);
  (void)queue.credit(0, 500);
  (void)queue.push(frame_of(400, 0, 1));
  (void)queue.push(frame_of(5'000, 0, 2));
  CHECK(ids(queue.take()) == std::vector<std::uint64_t>{1});
  (void)queue.credit(399, 500);
  CHECK(queue.take().empty());
  (void)queue.credit(400, 500);
  CHECK(ids(queue.take()) == std::vector<std::uint64_t>{2});
}

TEST_CASE("urgent frames overtake others, frames of one priority never do") {
  std::atomic<std::uint64_t> total{0};
  send_queue queue(1u << 20, total);
  (void)queue.credit(0, 1u << 20);
  (void)queue.push(frame_of(200, 7, 1));
  (void)queue.push(frame_of(200, 3, 2));
  (void)queue.push(frame_of(200, 0, 3));
  (void)queue.push(frame_of(200, 3, 4));
  (void)queue.push(frame_of(200, 0, 5));
  CHECK(ids(queue.take()) == std::vector<std::uint64_t>{3, 5, 2, 4, 1});
}

TEST_CASE("a large urgent frame that waits for credit is not overtaken by small ones") {
  std::atomic<std::uint64_t> total{0};
  send_queue queue(1u << 20, total);
  (void)queue.credit(0, 1'000);
  (void)queue.push(frame_of(500, 0, 1));
  (void)queue.push(frame_of(900, 1, 2));
  (void)queue.push(frame_of(100, 2, 3));
  CHECK(ids(queue.take()) == std::vector<std::uint64_t>{1});
  CHECK(queue.take().empty());
  (void)queue.credit(500, 1'000);
  CHECK(ids(queue.take()) == std::vector<std::uint64_t>{2, 3});
}

TEST_CASE("a full queue takes small frames only, and only so many") {
  std::atomic<std::uint64_t> total{0};
  send_queue queue(10'000, total);
  CHECK(queue.push(frame_of(9'000)) == send_queue::pushed::wake_writer);
  CHECK(queue.push(frame_of(5'000)) == send_queue::pushed::full);
  std::size_t small = 0;
  while (queue.push(frame_of(4'000)) == send_queue::pushed::queued)
    ++small;
  CHECK(small == (send_queue::reserve_bytes + 1'000) / 4'000);
  CHECK(total == queue.bytes());
}

TEST_CASE("a window is news when a quarter of it was freed since the last word") {
  std::size_t news = 0;
  const auto window = std::make_shared<receive_window>(1'000, [&] { ++news; });
  auto first = window->claim(200);
  auto second = window->claim(100);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(window->tell() == 0);
  first->settle();
  first->settle();
  CHECK(news == 0);
  second.reset(); // the end of a frame settles it too
  CHECK(news == 1);
  CHECK(window->tell() == 300);
  auto third = window->claim(1'000);
  REQUIRE(third);
  CHECK_FALSE(window->claim(1));
  window->close();
  third->settle();
  CHECK(news == 1);
  CHECK(window->claim(5'000)); // nothing is outstanding
}

TEST_CASE("a sender that ignores the window is dropped") {
  auto o = options(1);
  o.window_bytes = 10'000;
  test_node node(make_socket_network, o);
  std::vector<mesh::frame_ptr> held; // by an actor that does not get on
  node.on_frame = [&](mesh::frame_ptr f) { held.push_back(std::move(f)); };
  raw_link link(node.listen(), stranger);
  REQUIRE(node.wait_for_up());
  const auto f = make_frame(stranger.identity, lane::bulk, 1, 2, 3'000);
  for (int i = 0; i < 4; ++i)
    link.bulk.send(*f);
  REQUIRE(node.wait_for_down());
  CHECK(node.snapshot().downs[0].why.code == errc::limit_exceeded);
  CHECK(held.size() == 3);
}

TEST_CASE("a peer that claims to have freed what it never got is dropped") {
  test_node node(make_socket_network, options(1));
  raw_link link(node.listen(), stranger);
  REQUIRE(node.wait_for_up());
  SUBCASE("too much") {
    link.control.send(*make_credit(stranger, {lane::bulk, 1, 1u << 20}));
  }
  SUBCASE("on the bulk lane") {
    auto f = *make_credit(stranger, {lane::bulk, 0, 1u << 20});
    f.header.lane = lane::bulk;
    link.bulk.send(f);
  }
  SUBCASE("for a lane that there is not") {
    link.control.send(*make_credit(stranger, {static_cast<mesh::lane>(2), 0, 1u << 20}));
  }
  REQUIRE(node.wait_for_down());
  CHECK(node.snapshot().downs[0].why.code == errc::malformed_message);
}

TEST_CASE("a receiver that does not get on stops its sender at the window, and nothing is lost") {
  auto slow = options(2);
  slow.window_bytes = 1u << 20;
  auto sender = options(1);
  sender.queue_bytes_max = 1u << 20;
  test_node a(make_socket_network, sender), b(make_socket_network, slow);
  std::mutex mutex;
  std::vector<mesh::frame_ptr> held;
  std::size_t count = 0;
  bool stuck = true;
  std::condition_variable changed;
  b.on_frame = [&](mesh::frame_ptr f) {
    const std::lock_guard lock(mutex);
    ++count;
    if (stuck) held.push_back(std::move(f));
    changed.notify_all();
  };
  join(a, b);
  std::uint64_t sent = 0;
  const auto send_one = [&] {
    return a->send(b.self().uuid, make_frame(a.self(), lane::bulk, sent + 1, 0, 50'000));
  };
  result<void> last;
  while ((last = send_one()))
    ++sent;
  CHECK(last.failure().code == errc::retry_later);
  {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, patience, [&] { return count == (1u << 20) / 50'096; });
    CHECK(count == (1u << 20) / 50'096);
    CHECK(sent <= 2 * count + 1);
    stuck = false;
    held.clear();
  }
  std::unique_lock lock(mutex);
  CHECK(changed.wait_for(lock, patience, [&] { return count == sent; }));
  lock.unlock();
  CHECK(send_one());
}
