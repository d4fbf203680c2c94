/// A worker's own pushes, added to what it read: what comes out is what a server would have had.

#include "actors/env/random.hpp"
#include "actors/parameters/partition_map.hpp"
#include "actors/worker/leased_step.hpp"
#include "actors/worker/own_writes.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace gradmesh;
using parameters::transfer_format;
using worker::step_work;

namespace {

constexpr std::uint64_t dense_floats = 150'000; // more than a block of each shard
constexpr std::size_t wide = 3;
constexpr std::size_t shards = 2;
const std::vector<learning::table_spec> tables{
    {"narrow", learning::table_kind::sparse, 1},
    {"wide", learning::table_kind::sparse, wide},
    {"dense", learning::table_kind::dense, dense_floats}};

parameters::slicer make_slicer() {
  auto map = parameters::partition_map::make(dense_floats, parameters::contiguous_owners(8, shards),
                                             shards);
  REQUIRE(map);
  return {tables, std::move(*map)};
}

float rate_of(std::uint64_t step) {
  return 0.5F / static_cast<float>(step + 1);
}

/// All parameters as plain lists.
struct plain {
  std::vector<float> dense = std::vector<float>(dense_floats);
  std::map<std::uint64_t, std::vector<float>> rows; // narrow, then wide
};

struct bench {
  bench(std::uint64_t seed, transfer_format push_format)
      : random(seed), slicer(make_slicer()), format(push_format), own(slicer, format, rate_of) {}

  float draw() { return static_cast<float>(random.below(2001)) / 1000 - 1; }

  /// A step that touches some keys.
  std::shared_ptr<step_work> step(std::uint64_t number) {
    auto work = std::make_shared<step_work>();
    work->step = number;
    for (std::uint64_t key = 0; key < 60; ++key)
      if (random.below(3) == 0) work->plan.keys.push_back(key * key);
    work->slices = slicer.cut(work->plan.keys);
    worker::make_room(slicer, *work);
    return work;
  }

  /// Pushes random gradients, and applies what travels to `to`.
  std::shared_ptr<step_work> pushed(std::uint64_t number, plain& to) {
    auto work = step(number);
    for (auto& g : work->dense)
      g = draw();
    for (auto& table : work->rows)
      for (auto& g : table)
        g = draw();
    const auto floats_per_key = slicer.layout().floats_per_key();
    for (const auto& slice : work->slices) {
      auto& bodies = work->pushes.emplace_back();
      for (const auto& part : slice.parts) {
        const auto keys = part.dense ? 0 : part.elements.size() * sizeof(std::uint64_t);
        std::vector<float> values(parameters::part_floats(part, floats_per_key));
        slicer.gather(slice, part, {work->dense, {work->rows[0], work->rows[1]}}, values);
        const auto bytes = parameters::encoded_bytes(format, values.size());
        auto body = mesh::allocate_body(keys + bytes);
        REQUIRE(parameters::encode(format, values, body.bytes.subspan(keys, bytes)));
        REQUIRE(parameters::decode(format, body.bytes.subspan(keys, bytes), values));
        slicer.scatter(slice, part, values, {work->dense, {work->rows[0], work->rows[1]}});
        bodies.push_back(std::move(body));
      }
    }
    for (std::size_t i = 0; i < dense_floats; ++i)
      to.dense[i] -= rate_of(number) * work->dense[i];
    for (std::size_t k = 0; k < work->plan.keys.size(); ++k) {
      auto& row = to.rows.try_emplace(work->plan.keys[k], 1 + wide).first->second;
      row[0] -= rate_of(number) * work->rows[0][k];
      for (std::size_t c = 0; c < wide; ++c)
        row[1 + c] -= rate_of(number) * work->rows[1][k * wide + c];
    }
    return work;
  }

  void set_values(const plain& from, step_work& to) {
    to.dense.assign(from.dense.begin(), from.dense.end());
    for (std::size_t k = 0; k < to.plan.keys.size(); ++k) {
      const auto row = from.rows.find(to.plan.keys[k]);
      to.rows[0][k] = row == from.rows.end() ? 0 : row->second[0];
      for (std::size_t c = 0; c < wide; ++c)
        to.rows[1][k * wide + c] = row == from.rows.end() ? 0 : row->second[1 + c];
    }
  }

  bool has_values(const step_work& work, const plain& expected) {
    auto same = work;
    set_values(expected, same);
    return same.dense == work.dense && same.rows == work.rows;
  }

  env::random_stream random;
  const parameters::slicer slicer;
  const transfer_format format;
  worker::own_writes own;
};

} // namespace

TEST_CASE("pushes that a read lacks are added bit by bit as a server applies them") {
  for (const auto format :
       {transfer_format::float32, transfer_format::bfloat16, transfer_format::int8})
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      CAPTURE(seed);
      bench b(seed, format);
      plain before;
      const auto zero = b.pushed(0, before); // all reads have it
      auto after = before;
      const auto one = b.pushed(1, after);
      const auto two = b.pushed(2, after);
      const auto work = b.step(3);
      b.set_values(before, *work);
      for (std::size_t shard = 0; shard < shards; ++shard)
        for (std::size_t p = 0; p < work->slices[shard].parts.size(); ++p)
          worker::note_own_missing(*work, shard, p, 2);
      CHECK(worker::first_own_missing(*work) == 1);
      work->own_writes = {one, two};
      REQUIRE(b.own.add_to(*work));
      CHECK(b.has_values(*work, after));
      CHECK(work->own_writes.empty());
      for (const auto& steps : work->own_steps)
        for (const auto has : steps)
          CHECK(has == 3);
      // A step that is computed again, on another device, is not changed again.
      REQUIRE(b.own.add_to(*work));
      CHECK(b.has_values(*work, after));
    }
}

TEST_CASE("a part that has a push already does not get it again") {
  bench b(7, transfer_format::float32);
  plain before;
  auto between = before;
  const auto zero = b.pushed(0, between);
  auto after = between;
  const auto one = b.pushed(1, after);
  const auto work = b.step(2);
  // What the first shard sent has the first push, what the second sent has none, and one part both.
  b.set_values(before, *work);
  auto halfway = b.step(2);
  *halfway = *work;
  b.set_values(between, *halfway);
  auto whole = *work;
  b.set_values(after, whole);
  const auto take_part = [&](const step_work& from, std::size_t shard, std::size_t p,
                             std::uint64_t own_missing) {
    const auto& slice = work->slices[shard];
    std::vector<float> values(
        parameters::part_floats(slice.parts[p], b.slicer.layout().floats_per_key()));
    b.slicer.gather(slice, slice.parts[p], {from.dense, {from.rows[0], from.rows[1]}}, values);
    worker::scatter(b.slicer, slice, slice.parts[p], values, *work);
    worker::note_own_missing(*work, shard, p, own_missing);
  };
  for (std::size_t p = 0; p < work->slices[0].parts.size(); ++p)
    take_part(*halfway, 0, p, 2);
  for (std::size_t p = 0; p < work->slices[1].parts.size(); ++p)
    worker::note_own_missing(*work, 1, p, 1);
  take_part(whole, 1, work->slices[1].parts.size() - 1, 0);
  CHECK(worker::first_own_missing(*work) == 0);
  work->own_writes = {zero, one};
  REQUIRE(b.own.add_to(*work));
  CHECK(b.has_values(*work, after));
}
