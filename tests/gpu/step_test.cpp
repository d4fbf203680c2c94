/// Whole training steps through a backend.

#include "tests/gpu/lane_backend.hpp"
#include "tests/gpu/test_backends.hpp"
#include "tests/gpu/tiny_network.hpp"

#include "gpu/cpu_backend.hpp"

#include <atomic>

using namespace gradmesh::gpu;

namespace {

constexpr std::uint64_t steps = 200;

std::vector<float> trained_by(backend& device) {
  tiny_network network(device);
  for (std::uint64_t number = 1; number <= steps; ++number)
    network.step(number);
  return network.parameters();
}

/// |a - b| / |b|.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    size += double{b[i]} * b[i];
  }
  return std::sqrt(difference / size);
}

} // namespace

TEST_CASE("a network learns, and learns the same on every backend") {
  const auto cpu = make_cpu_backend();
  tiny_network network(*cpu);
  const auto before = network.step(1);
  for (std::uint64_t number = 2; number < steps; ++number)
    network.step(number);
  CHECK(network.step(steps) < 0.7 * before);
  const auto wanted = network.parameters();
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    CHECK(distance(trained_by(*device), wanted) < 1e-4);
  }
}

TEST_CASE("copies beside computations change no bit, in whatever order the lanes work") {
  const auto cpu = make_cpu_backend();
  const auto wanted = trained_by(*cpu);
  for (const auto seed : test_seeds()) {
    CAPTURE(seed);
    CHECK(trained_by(*make_lane_backend({.seed = seed})) == wanted);
  }
}

TEST_CASE("nothing is allocated after the first step") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    tiny_network network(*device);
    network.step(1);
    const auto after_first = device->memory().allocations;
    for (std::uint64_t number = 2; number < 20; ++number)
      network.step(number);
    CHECK(device->memory().allocations == after_first);
    if (!device->shares_host_memory() && device->name() != "cpu") CHECK(after_first > 0);
  }
}

TEST_CASE("a backend says when all is done, and not before") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    operand_source source(3);
    std::vector<float> host(1000, 0);
    const auto values = source.floats(host.size());
    buffer<float> x(*device), y(*device);
    const auto out = y.output(host);
    device->fill(1, out);
    device->add_scaled(2, x.upload(values), out);
    y.download(host);
    std::atomic<bool> told = false;
    device->when_done([&] { told = true; });
    while (!device->idle()) {
    }
    CHECK(told);
    REQUIRE_FALSE(device->wait());
    for (std::size_t i = 0; i < host.size(); ++i)
      REQUIRE(host[i] == 1 + 2 * values[i]);
  }
}

TEST_CASE("a model beyond the memory limit is a fault with the numbers") {
  const auto lanes = make_lane_backend({.memory_bytes_max = 1 << 20});
  buffer<float> small(*lanes), large(*lanes);
  CHECK(small.scratch(1000).data != nullptr);
  CHECK(large.scratch(1 << 20).data == nullptr);
  CHECK(lanes->wait().kind == fault_kind::out_of_memory);
  CHECK(lanes->wait().text.find("4194304 bytes") != std::string::npos);
  CHECK(lanes->wait().text.find("1048576 are allowed") != std::string::npos);
}
