#include "actors/parameters/dense_blocks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using namespace gradmesh;
using namespace gradmesh::parameters;

namespace {

std::unique_ptr<optimizer> rule(const char* kind = "sgd") {
  auto made = make_optimizer({.kind = kind});
  REQUIRE(made);
  return *std::move(made);
}

bool all_are(std::span<const float> values, float value) {
  return std::ranges::all_of(values, [&](float x) { return x == value; });
}

} // namespace

TEST_CASE("blocks tile the parameters and the last one has the rest") {
  const auto r = rule("adam");
  const dense_blocks blocks(2 * dense_block_floats + 5, *r);
  REQUIRE(blocks.count() == 3);
  CHECK(blocks.range(1) == element_range{dense_block_floats, 2 * dense_block_floats});
  CHECK(blocks.range(2) == element_range{2 * dense_block_floats, 2 * dense_block_floats + 5});
  CHECK(blocks.values(2).size() == 5);
  CHECK(dense_blocks(dense_block_floats, *r).count() == 1);
  CHECK(dense_blocks(0, *r).count() == 0);
  for (std::size_t b = 0; b < 3; ++b)
    CHECK(reinterpret_cast<std::uintptr_t>(blocks.values(b).data()) % 64 == 0);
}

TEST_CASE("a copy may begin and end inside blocks") {
  const auto r = rule();
  dense_blocks blocks(2 * dense_block_floats + 5, *r);
  for (std::size_t b = 0; b < blocks.count(); ++b)
    for (std::size_t i = 0; i < blocks.range(b).size(); ++i)
      blocks.initial_values(b)[i] = static_cast<float>(blocks.range(b).first + i);
  std::vector<float> out(dense_block_floats + 6);
  blocks.copy(dense_block_floats - 2, out);
  for (std::size_t i = 0; i < out.size(); ++i)
    REQUIRE(out[i] == static_cast<float>(dense_block_floats - 2 + i));
}

TEST_CASE("a held block keeps its values while the block is updated") {
  for (const char* kind : {"sgd", "momentum", "adam"}) {
    CAPTURE(kind);
    const auto r = rule(kind);
    dense_blocks blocks(100, *r);
    dense_blocks never_held(100, *r);
    const std::vector<float> gradient(100, 1.0F);
    std::vector<shared_floats> held;
    std::vector<std::vector<float>> values;
    for (int step = 0; step < 100; ++step) {
      held.push_back(blocks.share(0));
      values.emplace_back(held.back().values.begin(), held.back().values.end());
      blocks.update(0, gradient, 0.5F);
      never_held.update(0, gradient, 0.5F);
      REQUIRE(std::ranges::equal(blocks.values(0), never_held.values(0)));
    }
    for (std::size_t step = 0; step < held.size(); ++step)
      REQUIRE(std::ranges::equal(held[step].values, values[step]));
    CHECK(values[99] != values[98]);
  }
}

TEST_CASE("a block that nobody holds any more is updated in place") {
  const auto r = rule();
  dense_blocks blocks(100, *r);
  const std::vector<float> gradient(100, 1.0F);
  const auto* place = blocks.values(0).data();
  {
    const auto first = blocks.share(0);
    const auto second = blocks.share(0);
  }
  blocks.update(0, gradient, 1.0F);
  CHECK(blocks.values(0).data() == place);
  const auto held = blocks.share(0);
  const auto copy_of_owner = held.owner;
  blocks.update(0, gradient, 1.0F);
  CHECK(blocks.values(0).data() != place);
  CHECK(all_are(held.values, -1));
  CHECK(all_are(blocks.values(0), -2));
}

TEST_CASE("values that a block adopts are not copied and stay as they are") {
  const auto r = rule();
  const std::vector<float> gradient(100, 1.0F);
  const std::vector<float> other(100, 6.0F);
  const dense_segment part{{10, 13}, r.get()};
  const std::vector<std::function<void(dense_blocks&)>> changes{
      [&](dense_blocks& blocks) { blocks.update(0, gradient, 1.0F); },
      [&](dense_blocks& blocks) { REQUIRE(blocks.restore(0, 8, other, {})); },
      [&](dense_blocks& blocks) {
        REQUIRE(blocks.restore_run(10, 8, std::span(other).first(3), {}, std::span(&part, 1)));
      }};
  for (const auto& change : changes)
    for (const bool is_held : {false, true}) {
      dense_blocks blocks(100, *r);
      dense_blocks copied(100, *r);
      const auto memory = std::make_shared<std::vector<float>>(100, 5.0F);
      REQUIRE(blocks.adopt(0, 7, {memory, *memory}));
      REQUIRE(copied.restore(0, 7, *memory, {}));
      CHECK(blocks.values(0).data() == memory->data());
      const auto held = is_held ? blocks.share(0) : shared_floats{};
      change(blocks);
      change(copied);
      CHECK(std::ranges::equal(blocks.values(0), copied.values(0)));
      CHECK(blocks.steps(0) == copied.steps(0));
      CHECK(all_are(*memory, 5));
    }
}

TEST_CASE("a block lets go of what it adopted when it changes") {
  const auto r = rule();
  dense_blocks blocks(100, *r);
  auto memory = std::make_shared<std::vector<float>>(100, 5.0F);
  REQUIRE(blocks.adopt(0, 1, {memory, *memory}));
  CHECK(memory.use_count() == 2);
  blocks.update(0, std::vector<float>(100, 1.0F), 1.0F);
  CHECK(memory.use_count() == 1);
}

TEST_CASE("values of another size, or without the state of their rule, are not adopted") {
  const auto memory = std::make_shared<std::vector<float>>(100, 5.0F);
  const auto sgd = rule();
  dense_blocks blocks(100, *sgd);
  CHECK_FALSE(blocks.adopt(0, 1, {memory, std::span(*memory).first(99)}));
  const auto adam = rule("adam");
  dense_blocks with_state(100, *adam);
  CHECK_FALSE(with_state.adopt(0, 1, {memory, *memory}));
  CHECK(all_are(blocks.values(0), 0));
  CHECK(all_are(with_state.values(0), 0));
}

TEST_CASE("a steady stream of updates to held blocks goes round the same memory") {
  const auto r = rule();
  dense_blocks blocks(2 * dense_block_floats, *r);
  const std::vector<float> gradient(dense_block_floats, 1.0F);
  std::set<const float*> places;
  for (int step = 0; step < 20; ++step) {
    for (std::size_t b = 0; b < 2; ++b) {
      const auto held = blocks.share(b);
      blocks.update(b, gradient, 1.0F);
      places.insert(blocks.values(b).data());
    }
  }
  CHECK(places.size() <= 3);
}

TEST_CASE("each block counts its own steps") {
  const auto r = rule("adam");
  dense_blocks blocks(dense_block_floats + 3, *r);
  const std::vector<float> gradient(dense_block_floats, 2.0F);
  for (const std::size_t b : {0U, 0U, 1U, 0U})
    blocks.update(b, std::span(gradient).first(blocks.range(b).size()), 0.25F);
  const auto after = [&](std::uint64_t steps) {
    std::vector<float> w{0}, state{0, 0};
    for (std::uint64_t step = 1; step <= steps; ++step)
      r->update(w, w, std::vector<float>{2.0F}, state, {0.25F, step});
    return w[0];
  };
  CHECK(all_are(blocks.values(0), after(3)));
  CHECK(all_are(blocks.values(1), after(1)));
}

TEST_CASE("what is held outlives the blocks, and other threads may read it and let go of it") {
  const auto r = rule();
  const std::vector<float> gradient(1000, 1.0F);
  constexpr std::size_t rounds = 2000;
  std::vector<shared_floats> handed(rounds);
  std::atomic<std::size_t> given = 0;
  std::size_t wrong = 0;
  // The reader tells the writer nothing, so that only the count of holds orders them.
  std::thread reader([&] {
    for (std::size_t i = 0; i < rounds; ++i) {
      while (given.load() == i)
        std::this_thread::yield();
      if (!all_are(handed[i].values, -static_cast<float>(i))) ++wrong;
      handed[i].owner.reset();
    }
  });
  {
    dense_blocks blocks(1000, *r);
    for (std::size_t i = 0; i < rounds; ++i) {
      handed[i] = blocks.share(0);
      ++given;
      blocks.update(0, gradient, 1.0F);
    }
  }
  reader.join();
  CHECK(wrong == 0);
}
