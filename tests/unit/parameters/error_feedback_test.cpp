#include "actors/parameters/error_feedback.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

using namespace gradmesh;
using namespace gradmesh::parameters;

namespace {

constexpr transfer_format coarse[]{transfer_format::float16, transfer_format::bfloat16,
                                   transfer_format::int8};

/// The most that one coding is off for values up to 1.
double step_error(transfer_format format) {
  return format == transfer_format::int8       ? 1.0 / 254
         : format == transfer_format::bfloat16 ? std::ldexp(1, -8)
                                               : std::ldexp(1, -11);
}

/// What the receiver gets of a gradient.
using channel = std::function<std::vector<float>(std::span<const float>)>;

std::vector<float> decoded(transfer_format format, std::span<const std::byte> bytes,
                           std::size_t count) {
  std::vector<float> out(count);
  REQUIRE(decode(format, bytes, out));
  return out;
}

channel plain(transfer_format format) {
  return [=](std::span<const float> g) {
    std::vector<std::byte> bytes(encoded_bytes(format, g.size()));
    REQUIRE(encode(format, g, bytes));
    return decoded(format, bytes, g.size());
  };
}

channel with_feedback(error_feedback& feedback) {
  return [&](std::span<const float> g) {
    std::vector<std::byte> bytes(encoded_bytes(feedback.format(), g.size()));
    REQUIRE(feedback.encode_dense(0, g, bytes));
    return decoded(feedback.format(), bytes, g.size());
  };
}

/// The largest difference between the sum of what was pushed and of what was received.
double largest_bias(const channel& send, std::span<const std::vector<float>> pushes) {
  std::vector<double> difference(pushes[0].size());
  for (const auto& g : pushes) {
    const auto received = send(g);
    for (std::size_t i = 0; i < g.size(); ++i)
      difference[i] += static_cast<double>(received[i]) - static_cast<double>(g[i]);
  }
  double largest = 0;
  for (const double one : difference)
    largest = std::max(largest, std::abs(one));
  return largest;
}

} // namespace

TEST_CASE("with feedback the sum of many pushes is off by one coding error, without by many") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> within(-1, 1);
  constexpr int steps = 1000;
  constexpr std::size_t size = 5000; // more than one piece
  std::vector<float> same(size);
  for (auto& value : same)
    value = within(random);
  const std::vector<std::vector<float>> steady(steps, same); // the worst case: all errors alike
  std::vector<std::vector<float>> varied(steps, same);
  for (auto& g : varied)
    for (auto& value : g)
      value = within(random);
  for (const auto format : coarse) {
    CAPTURE(to_string(format));
    // |e| <= s (1 + |e|) for values up to 1; and each step rounds g + e to float32.
    const double s = step_error(format);
    const double bound = s / (1 - s) * 1.001 + steps * std::ldexp(1, -24);
    for (const auto& pushes : {steady, varied}) {
      error_feedback feedback(format, size, {}, 0);
      CHECK(largest_bias(with_feedback(feedback), pushes) <= bound);
    }
    CHECK(largest_bias(plain(format), steady) > 100 * bound);
  }
}

TEST_CASE("sgd over int8 with feedback ends where float32 does, and without feedback does not") {
  // f(w) = |w - t|^2 / 2; the first gradient swings between -1000 and 1000 for ever, so that the
  // group's steps are coarser than all other gradients.
  constexpr std::size_t n = group_floats;
  constexpr float rate = 0.002F;
  const auto train = [&](const channel& send) {
    std::vector<float> w(n, 0.0F), g(n);
    for (int step = 0; step < 10'000; ++step) {
      for (std::size_t i = 0; i < n; ++i)
        g[i] = w[i] - static_cast<float>(i) / n;
      g[0] = step % 2 == 0 ? 1000.0F : -1000.0F;
      const auto received = send(g);
      for (std::size_t i = 1; i < n; ++i)
        w[i] -= rate * received[i];
    }
    return w;
  };
  const auto exact = train(plain(transfer_format::float32));
  error_feedback feedback(transfer_format::int8, n, {}, 0);
  const auto fed_back = train(with_feedback(feedback));
  const auto rounded = train(plain(transfer_format::int8));
  double off_with = 0, off_without = 0;
  for (std::size_t i = 1; i < n; ++i) {
    REQUIRE(exact[i] == doctest::Approx(static_cast<double>(i) / n).epsilon(1e-3));
    off_with = std::max(off_with, std::abs(static_cast<double>(fed_back[i] - exact[i])));
    off_without = std::max(off_without, std::abs(static_cast<double>(rounded[i] - exact[i])));
  }
  // Off by the last residual, times the rate: 1000 / 253 * 0.002, and what it wanders about.
  CHECK(off_with < 0.02);
  CHECK(off_without > 0.9);
}

TEST_CASE("runs of the dense values have residuals of their own") {
  error_feedback whole(transfer_format::int8, 1000, {}, 0);
  error_feedback by_runs(transfer_format::int8, 1000, {}, 0);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int step = 0; step < 5; ++step) {
    std::vector<float> g(1000);
    for (auto& value : g)
      value = normal(random);
    std::vector<std::byte> bytes(encoded_bytes(transfer_format::int8, 1000)), pieces;
    REQUIRE(whole.encode_dense(0, g, bytes));
    for (const auto& [first, last] : {std::pair(0, 512), std::pair(512, 1000)}) {
      const auto run = std::span(g).subspan(first, last - first);
      std::vector<std::byte> piece(encoded_bytes(transfer_format::int8, run.size()));
      REQUIRE(by_runs.encode_dense(first, run, piece));
      pieces.insert(pieces.end(), piece.begin(), piece.end());
    }
    CHECK(pieces == bytes);
  }
}

TEST_CASE("rows keep their residuals by key, whatever lists they come in") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::vector<std::size_t> widths{3, 1};
  constexpr std::size_t keys = 40;
  // Key 0 among them, which looks like a place that nobody has.
  error_feedback feedback(transfer_format::int8, 0, widths, 1 << 20);
  REQUIRE(feedback.row_places() >= 1 << 15);
  std::vector<std::vector<double>> difference(keys, std::vector<double>(4));
  constexpr int steps = 500;
  for (int step = 0; step < steps; ++step) {
    std::vector<std::uint64_t> list;
    for (std::uint64_t key = 0; key < keys; ++key)
      if (random() % 2 == 0) list.push_back(key * key * 977);
    std::vector<float> g(list.size() * 4);
    for (std::size_t i = 0; i < g.size(); ++i)
      g[i] = i == 0 ? 1.0F : 0.001F; // all but the first alike, and smaller than a step
    std::vector<std::byte> bytes(encoded_bytes(transfer_format::int8, g.size()));
    REQUIRE(feedback.encode_rows(list, g, bytes));
    const auto received = decoded(transfer_format::int8, bytes, g.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto key =
          static_cast<std::size_t>(std::sqrt(static_cast<double>(list[i] / 977)) + 0.5);
      for (std::size_t j = 0; j < 4; ++j) {
        const auto at = j < 3 ? i * 3 + j : list.size() * 3 + i;
        difference[key][j] += static_cast<double>(received[at]) - static_cast<double>(g[at]);
      }
    }
  }
  // Without feedback: 250 times 0.001.
  for (const auto& of_key : difference)
    for (const double one : of_key)
      REQUIRE(std::abs(one) <= 1.0 / 253 * 1.001 + steps * std::ldexp(1, -24));
}

TEST_CASE("keys that share a place lose a residual and get nobody else's") {
  const std::vector<std::uint64_t> a{1}, b{2};
  error_feedback feedback(transfer_format::int8, 0, {256}, 8 + 256 * 4);
  REQUIRE(feedback.row_places() == 1);
  std::vector<float> g(256, 0.001F);
  g[0] = 1;
  std::vector<std::byte> bytes(260), fresh(260);
  REQUIRE(encode(transfer_format::int8, g, fresh));
  const auto sent = [&](const std::vector<std::uint64_t>& keys) {
    REQUIRE(feedback.encode_rows(keys, g, bytes));
    return bytes;
  };
  for (int i = 0; i < 3; ++i)
    CHECK(sent(a) == fresh); // 0.003 is left; 0.004 would be sent as a step
  CHECK(sent(b) == fresh);   // not with a's
  for (int i = 0; i < 3; ++i)
    CHECK(sent(a) == fresh); // a's was lost
  CHECK(sent(a) != fresh);   // and adds up again
}

TEST_CASE("what cannot be encoded is refused and leaves every residual as it was") {
  for (const auto format : coarse) {
    CAPTURE(to_string(format));
    std::vector<float> g(600, 0.3F);
    g[0] = 1;
    const std::vector<std::uint64_t> keys{5, 6};
    error_feedback feedback(format, 600, {300}, 1 << 20), untouched(format, 600, {300}, 1 << 20);
    std::vector<std::byte> bytes(encoded_bytes(format, 600)), expected(bytes.size());
    REQUIRE(feedback.encode_dense(0, g, bytes));
    REQUIRE(feedback.encode_rows(keys, g, bytes));
    REQUIRE(untouched.encode_dense(0, g, expected));
    REQUIRE(untouched.encode_rows(keys, g, expected));

    auto bad = g;
    bad[599] = std::numeric_limits<float>::quiet_NaN();
    const auto nan = feedback.encode_dense(0, bad, bytes);
    REQUIRE(!nan);
    CHECK(nan.failure().text.starts_with("the gradient's value 599 of 600 is nan"));
    CHECK(!feedback.encode_rows(keys, bad, bytes));
    CHECK(!feedback.encode_dense(0, g, std::span(bytes).first(10)));
    CHECK(!feedback.encode_rows(keys, g, std::span(bytes).first(10)));
    CHECK(!feedback.encode_rows(keys, std::span(g).first(10), bytes));
    CHECK(!feedback.encode_dense(256, g, bytes));
    CHECK(!feedback.encode_dense(1, std::span(g).first(10), bytes));
    CHECK(!feedback.encode_dense(1024, {}, {}));

    REQUIRE(feedback.encode_dense(0, g, bytes));
    REQUIRE(untouched.encode_dense(0, g, expected));
    CHECK(bytes == expected);
    REQUIRE(feedback.encode_rows(keys, g, bytes));
    REQUIRE(untouched.encode_rows(keys, g, expected));
    CHECK(bytes == expected);
  }
}

TEST_CASE("a gradient and its residual that are too large together are sent as the largest") {
  constexpr float largest = std::numeric_limits<float>::max();
  for (const auto format : coarse) {
    CAPTURE(to_string(format));
    error_feedback feedback(format, 2, {}, 0);
    std::vector<std::byte> bytes(encoded_bytes(format, 2));
    for (int i = 0; i < 5; ++i) {
      REQUIRE(feedback.encode_dense(0, std::vector<float>{largest, -largest}, bytes));
      const auto received = decoded(format, bytes, 2);
      CHECK(received[0] >= 65504);
      CHECK(received[1] == -received[0]);
      CHECK(std::isfinite(received[0]));
    }
  }
}

TEST_CASE("float32 needs no feedback, and rows without memory for it have none") {
  const std::vector<std::uint64_t> keys{1};
  const std::vector<float> g{0.1F, 0.2F};
  error_feedback exact(transfer_format::float32, 2, {2}, 1 << 20);
  CHECK(exact.row_places() == 0);
  std::vector<std::byte> bytes(8);
  REQUIRE(exact.encode_dense(0, g, bytes));
  CHECK(decoded(transfer_format::float32, bytes, 2) == g);
  REQUIRE(exact.encode_rows(keys, g, bytes));
  CHECK(decoded(transfer_format::float32, bytes, 2) == g);

  error_feedback none(transfer_format::bfloat16, 2, {2}, 0);
  std::vector<std::byte> once(4), twice(4);
  REQUIRE(none.encode_rows(keys, g, once));
  REQUIRE(none.encode_rows(keys, g, twice));
  CHECK(once == twice);
}
