#include "gpu/byte_ring.hpp"
#include "gpu/lane_order.hpp"
#include "gpu/memory_pool.hpp"
#include "gpu/pinned_memory.hpp"
#include "tests/gpu/lane_backend.hpp"
#include "tests/gpu/operand.hpp"
#include "tests/gpu/test_backends.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory_resource>
#include <thread>
#include <vector>

using namespace gradmesh::gpu;

namespace {

/// Memory whose owner counts, and has no more at some point.
struct counted_source {
  std::size_t out = 0;
  std::size_t most = 100;

  memory_pool::source source() {
    return {
        [this](std::size_t bytes) { return ++out > most ? (--out, nullptr) : std::malloc(bytes); },
        [this](void* memory) {
          --out;
          std::free(memory);
        }};
  }
};

} // namespace

TEST_CASE("a pool hands out again what was released and takes nothing new") {
  counted_source memory;
  {
    memory_pool pool(memory.source(), 1 << 20);
    void* first = pool.allocate(1000);
    pool.release(first);
    CHECK(pool.allocate(900) == first);
    CHECK(pool.use().allocations == 1);
    CHECK(pool.allocate(1000) != first);
    CHECK(pool.use().allocations == 2);
    CHECK(pool.use().in_use == pool.use().held);
  }
  CHECK(memory.out == 0);
}

TEST_CASE("a pool never holds more than its limit, and gives back free blocks before it refuses") {
  counted_source memory;
  memory_pool pool(memory.source(), 64 << 10);
  void* small = pool.allocate(8 << 10);
  void* large = pool.allocate(40 << 10);
  REQUIRE(small);
  REQUIRE(large);
  CHECK(pool.allocate(40 << 10) == nullptr);
  pool.release(large);
  CHECK(pool.allocate(56 << 10) != nullptr); // too large for the free block, which has to go
  CHECK(pool.use().held == 64 << 10);
  CHECK(pool.allocate(1) == nullptr);
  CHECK(pool.allocate(std::numeric_limits<std::size_t>::max()) == nullptr);
}

TEST_CASE("a source that has no more is asked again after the free blocks went back to it") {
  counted_source memory{.most = 2};
  memory_pool pool(memory.source(), 1 << 30);
  void* first = pool.allocate(1 << 10);
  REQUIRE(pool.allocate(1 << 10));
  pool.release(first);
  CHECK(pool.allocate(1 << 20) != nullptr);
  CHECK(pool.allocate(1 << 20) == nullptr);
}

TEST_CASE("sizes that differ by little are the same to a pool") {
  counted_source memory;
  memory_pool pool(memory.source(), 1 << 30);
  for (const std::size_t bytes : {1'000'000, 1'010'000, 990'000, 1'040'000})
    pool.release(pool.allocate(bytes));
  CHECK(pool.use().allocations == 1);
}

TEST_CASE("places in a ring never overlap and all of it is used") {
  for (const auto seed : test_seeds()) {
    CAPTURE(seed);
    operand_source random(seed);
    const std::size_t capacity = 64 + random.below(1000);
    byte_ring ring(capacity);
    struct place {
      std::size_t at, bytes;
    };
    std::vector<place> taken;
    std::size_t most = 0;
    for (int i = 0; i < 2000; ++i) {
      const auto bytes = 1 + random.below(capacity / 4);
      const auto at = ring.take(bytes);
      if (!at) {
        REQUIRE_FALSE(taken.empty());
        ring.free_oldest();
        taken.erase(taken.begin());
        continue;
      }
      REQUIRE(*at + bytes <= capacity);
      for (const auto& other : taken)
        REQUIRE((*at + bytes <= other.at || other.at + other.bytes <= *at));
      taken.push_back({*at, bytes});
      std::size_t used = 0;
      for (const auto& other : taken)
        used += other.bytes;
      most = std::max(most, used);
    }
    CHECK(most > capacity / 2);
    CHECK(ring.places() == taken.size());
  }
}

TEST_CASE("a lane awaits only what touched the same memory in another lane") {
  std::array<char, 100> a{}, b{};
  lane_order order;
  order.add(a.data(), a.size());
  order.add(b.data(), b.size());
  const lane_tickets nothing{};
  const auto in = [&](const void* to) {
    return order.enqueue(lane::copy_in, {{to, touch::write}});
  };
  const auto uses = [&](const void* from, const void* to) {
    return order.enqueue(lane::compute, {{from, touch::read}, {to, touch::write}});
  };
  CHECK(in(&a[0]) == nothing);
  CHECK(in(&b[50]) == nothing);
  CHECK(uses(&a[99], nullptr) == lane_tickets{1, 0, 0});
  CHECK(uses(&a[0], nullptr) == nothing);               // awaited already
  CHECK(uses(nullptr, &b[0]) == lane_tickets{2, 0, 0}); // written by both
  CHECK(in(&a[1]) == lane_tickets{0, 2, 0});            // after those who read what was there
  CHECK(order.enqueue(lane::copy_out, {{&b[0], touch::read}}) == lane_tickets{2, 3, 0});
  CHECK(uses(&b[0], nullptr) == nothing); // two that read need no order
  CHECK(uses(nullptr, &b[0]) == lane_tickets{0, 0, 1});
}

TEST_CASE("memory that nobody knows makes a lane await everything") {
  std::array<char, 100> a{};
  lane_order order;
  order.add(a.data(), a.size());
  (void)order.enqueue(lane::copy_in, {{&a[0], touch::write}});
  char unknown = 0;
  CHECK(order.enqueue(lane::compute, {{&unknown, touch::read}}) == lane_tickets{1, 0, 0});
  order.remove(a.data());
  CHECK_FALSE(order.knows(&a[0]));
}

TEST_CASE("memory for receiving goes up without a detour, from whatever thread it was asked") {
  const auto device = make_lane_backend({});
  const auto pinned = device->make_pinned();
  REQUIRE(pinned);
  device->use_pinned(pinned);
  std::pmr::vector<float> received(pinned.get());
  std::thread([&] { received.assign(1000, 3); }).join();
  CHECK(pinned->holds(&received.back()));
  CHECK_FALSE(pinned->holds(&received.back() + 100'000));
  buffer<float> memory(*device);
  (void)memory.upload(received);
  CHECK(device->copies().in == 4000);
  CHECK(device->copies().detour == 0);
  const std::vector<float> elsewhere(10, 1);
  (void)memory.upload(elsewhere);
  CHECK(device->copies().detour == 40);
  REQUIRE_FALSE(device->wait());

  const auto held = pinned->use().held;
  received = std::pmr::vector<float>(900, 1, pinned.get()); // what was released comes again
  CHECK(pinned->use().held <= 2 * held);
}

TEST_CASE("where there is no more pinned memory, ordinary memory takes its place") {
  counted_source host{.most = 1};
  pinned_memory pinned(host.source(), std::size_t{1} << 20);
  std::pmr::vector<float> first(200, 1, &pinned), second(200, 2, &pinned);
  CHECK(pinned.holds(first.data()));
  CHECK_FALSE(pinned.holds(second.data()));
  CHECK(second == std::pmr::vector<float>(200, 2));
  first = std::pmr::vector<float>(&pinned);
  CHECK(host.out == 1); // kept
}
