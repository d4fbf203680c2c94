#include "tests/unit/network/test_node.hpp"

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::lane;

namespace {

struct wired {
  std::shared_ptr<memory_hub> hub = std::make_shared<memory_hub>();
  test_node::network_factory make = [this](network_options o) {
    return make_memory_network(hub, std::move(o));
  };
};

} // namespace

TEST_CASE_FIXTURE(wired, "a call on a memory network returns when its events have been delivered") {
  test_node a(make, options(1)), b(make, options(2));
  const auto at = b.listen();
  a->connect(at);
  CHECK(a.snapshot().ups.size() == 1);
  CHECK(b.snapshot().ups.size() == 1);
  const auto f = make_frame(a.self(), lane::bulk, 1, 2, 100);
  REQUIRE(a->send(b.self().uuid, f));
  REQUIRE(b.snapshot().frames.size() == 1);
  CHECK(b.snapshot().frames[0] == f); // the frame itself, not a copy
  a->disconnect(b.self().uuid, {errc::cancelled, "enough"});
  CHECK(a.snapshot().downs.size() == 1);
  CHECK(b.snapshot().downs.size() == 1);
}

TEST_CASE_FIXTURE(wired, "a node that is cut off goes down for its peers and hears nothing more") {
  test_node a(make, options(1)), b(make, options(2)), c(make, options(3));
  join(a, b);
  join(a, c);
  hub->cut(a.self().uuid);
  CHECK(b.snapshot().downs.size() == 1);
  CHECK(c.snapshot().downs.size() == 1);
  CHECK(a.snapshot().downs.empty());
  CHECK_FALSE(a->send(b.self().uuid, make_frame(a.self(), lane::control, 1)));
  CHECK_FALSE(b->send(a.self().uuid, make_frame(b.self(), lane::control, 1)));
}

TEST_CASE_FIXTURE(wired, "frames that answer each other do not nest without end") {
  test_node a(make, options(1)), b(make, options(2));
  constexpr std::uint64_t last = 100'000;
  const auto bounce = [](test_node& here, const test_node& there) {
    return [&here, &there](mesh::frame_ptr f) {
      const auto id = f->header.message_id;
      if (id < last)
        (void)here->send(there.self().uuid, make_frame(here.self(), lane::bulk, id + 1));
    };
  };
  a.on_frame = bounce(a, b);
  b.on_frame = bounce(b, a);
  join(a, b);
  a.send(b, lane::bulk, 1);
  CHECK(a->stats().frames_sent + b->stats().frames_sent == last);
}

TEST_CASE_FIXTURE(wired, "a peer that does not come to reading makes the sender wait") {
  auto narrow = options(1);
  narrow.queue_bytes_max = 10'000;
  test_node a(make, narrow), b(make, options(2));
  std::size_t accepted = 0;
  error refusal;
  b.on_frame = [&](mesh::frame_ptr) {
    // b is busy with the first frame: everything that is sent meanwhile waits.
    while (!refusal) {
      const auto sent = a->send(b.self().uuid, make_frame(a.self(), lane::bulk, 2, 2, 2'000));
      if (sent)
        ++accepted;
      else
        refusal = sent.failure();
    }
  };
  join(a, b);
  a.send(b, lane::bulk, 1);
  CHECK(refusal.code == errc::retry_later);
  CHECK(accepted == 4); // of 2112 bytes each
  CHECK(a.snapshot().downs.empty());
  CHECK(a->stats().sends_refused == 1);
}
