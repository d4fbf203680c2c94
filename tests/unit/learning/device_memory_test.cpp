/// How a model gets along with a device's memory: parameters that are not copied twice, two steps
/// at once, activations that are paged. On the backend with lanes, which does its work in an order
/// drawn by chance.

#include "actors/learning/device_parameters.hpp"
#include "actors/learning/index_cache.hpp"
#include "actors/learning/memory_plan.hpp"
#include "gpu/host_buffer.hpp"
#include "tests/gpu/lane_backend.hpp"
#include "tests/gpu/operand.hpp"
#include "tests/gpu/test_backends.hpp"
#include "tests/support/random_data.hpp"
#include "tests/unit/learning/flat_model.hpp"

#include <string>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

constexpr std::size_t floats = 1000, first = 300, size = 600;

/// Blocks of 70 floats, each with the version that its values have.
struct versioned_values {
  versioned_values() {
    for (std::uint64_t at = 0; at < floats; at += 70)
      versions.push_back({at, std::min<std::uint64_t>(at + 70, floats), 1});
  }
  void change(std::size_t block, float value) {
    auto& v = versions[block];
    ++v.version;
    std::fill(dense.begin() + static_cast<std::ptrdiff_t>(v.first),
              dense.begin() + static_cast<std::ptrdiff_t>(v.last), value);
  }

  std::vector<float> dense = std::vector<float>(floats, 0);
  std::vector<dense_version> versions;
};

std::vector<float> content(gpu::backend& device, gpu::device_span<const float> span) {
  std::vector<float> host(span.size);
  device.copy_to_host(host.data(), span.data, host.size() * sizeof(float));
  REQUIRE_FALSE(device.wait());
  return host;
}

} // namespace

TEST_CASE("whatever came before and ahead, a device has the parameters of its step") {
  for (const auto seed : gpu::test_seeds()) {
    CAPTURE(seed);
    const auto device = gpu::make_lane_backend({.seed = seed});
    gpu::operand_source random(seed);
    device_parameters copy(*device, first, size);
    versioned_values values;
    for (float step = 1; step < 40; ++step) {
      for (auto changes = random.below(4); changes > 0; --changes)
        values.change(random.below(values.versions.size()), step);
      std::vector<dense_version> ahead;
      for (const auto& v : values.versions)
        if (random.below(3) == 0) ahead.push_back(v);
      copy.upload_ahead(values.dense, ahead);
      auto named = values.versions;
      for (auto& v : named)
        if (random.below(5) == 0) v.version = 0; // nobody knows
      if (random.below(4) == 0) named.erase(named.begin() + 1, named.begin() + 4);
      if (random.below(8) == 0) named.clear();
      const auto span = copy.upload(values.dense, named);
      REQUIRE(content(*device, span) == std::vector<float>(values.dense.begin() + first,
                                                           values.dense.begin() + first + size));
    }
  }
}

TEST_CASE("a block whose version the device has is not copied, and counted") {
  const auto device = gpu::make_lane_backend({});
  device_parameters copy(*device, first, size);
  versioned_values values;
  (void)copy.upload(values.dense, values.versions);
  REQUIRE_FALSE(device->wait());
  CHECK(device->copies().in == size * sizeof(float));
  CHECK(device->copies().spared == 0);

  values.change(6, 7);     // [420, 490)
  values.dense[first] = 5; // whoever changes values without a new version is not noticed
  const auto span = copy.upload(values.dense, values.versions);
  const auto there = content(*device, span);
  CHECK(device->copies().in == (size + 70) * sizeof(float));
  CHECK(device->copies().spared == (size - 70) * sizeof(float));
  CHECK(there[0] == 0);
  CHECK(there[420 - first] == 7);

  // What came ahead was copied all the same: nothing is spared by it.
  values.change(6, 8);
  copy.upload_ahead(values.dense, std::span(values.versions).subspan(6, 1));
  (void)copy.upload(values.dense, values.versions);
  CHECK(device->copies().in == (size + 140) * sizeof(float));
  CHECK(device->copies().spared == 2 * (size - 70) * sizeof(float));
  REQUIRE_FALSE(device->wait()); // before the values go
}

namespace {

const model_options deep{"mlp", std::vector<std::uint32_t>(12, 40), 0.01F};
constexpr std::size_t batch = 500;

/// Gradients of some steps, each on other examples and parameters, with `at_once` of them begun
/// before the oldest is ended.
std::vector<std::vector<float>> gradients(std::unique_ptr<gpu::backend> backend,
                                          const model_options& options, std::size_t at_once,
                                          std::uint64_t bytes_max) {
  constexpr std::size_t steps = 6;
  std::vector<dataset> data;
  std::vector<std::vector<float>> parameters, found;
  std::vector<step_plan> plans;
  const bool sparse = options.kind == "softmax";
  for (std::size_t s = 0; s < steps; ++s)
    data.push_back(sparse ? testing::random_sparse(40 + s, batch, 90, 3, 8, false)
                          : testing::random_dense(40 + s, batch, 20, 3));
  auto made = make_model(options, data[0].shape, *backend);
  REQUIRE(made);
  auto& model = **made;
  REQUIRE(model.fit({batch, batch}, bytes_max).device_bytes <= bytes_max);
  const auto dense = dense_size(model.tables());
  std::vector<gpu::host_buffer<float>> places;
  places.reserve(steps);
  const auto end_oldest = [&](std::size_t s) {
    CHECK(model.end().examples == batch);
    const auto all = places[s].room(1);
    found.emplace_back(all.data(), all.data() + dense + plans[s].keys.size() * 3 * sparse);
  };
  plans.reserve(steps);
  for (std::size_t s = 0; s < steps; ++s) {
    const auto view = data[s].view();
    plans.push_back(model.plan(view));
    const auto rows = plans[s].keys.size() * 3 * sparse;
    parameters.push_back(gpu::operand_source(60 + s).floats(dense + rows));
    for (auto& w : parameters[s])
      w *= 0.3F;
    auto& place = places.emplace_back(*backend);
    const std::span<const float> w = parameters[s];
    const auto g = place.room(dense + rows);
    parameter_view values{w.first(dense), {}};
    gradient_view to{g.first(dense), {}};
    if (sparse) values.sparse.push_back(w.subspan(dense)), to.sparse.push_back(g.subspan(dense));
    REQUIRE(model.begin(view, plans[s], values, 1.0F / batch, to));
    if (s + 1 < at_once) continue;
    if (at_once == 1) REQUIRE_FALSE(backend->wait());
    // Only what came back since the last look may be relied on.
    bool told = false;
    backend->when_done([&told] { told = true; });
    while (!told)
      REQUIRE_FALSE(backend->look());
    end_oldest(s + 1 - at_once);
  }
  REQUIRE_FALSE(backend->wait());
  for (auto s = found.size(); s < steps; ++s)
    end_oldest(s);
  return found;
}

constexpr auto much = std::uint64_t{1} << 30;

} // namespace

TEST_CASE("steps begun before the one before has ended have the same bits") {
  for (const auto& options : {deep, model_options{}}) {
    const auto wanted = gradients(gpu::make_cpu_backend(), options, 1, much);
    for (const auto seed : gpu::test_seeds()) {
      CAPTURE(seed);
      CHECK(gradients(gpu::make_lane_backend({.seed = seed}), options, 2, much) == wanted);
      // More than there is memory for: those beyond wait for it.
      CHECK(gradients(gpu::make_lane_backend({.seed = seed}), options, 4, much) == wanted);
    }
  }
}

TEST_CASE("a model of twice the device's memory trains with paged activations to the same bits") {
  const auto probe = gpu::make_cpu_backend();
  const auto model = *make_model(deep, {layout::dense, 20, 3}, *probe);
  const auto whole = model->fit({batch, batch}, much);
  CHECK(whole.steps_at_once == 2);
  CHECK(whole.paged == 0);
  // What one step takes where all of it stays.
  const auto one = model->fit({batch, batch}, whole.device_bytes - 1);
  CHECK(one.steps_at_once == 1);
  CHECK(one.paged == 0);
  const auto cap = one.device_bytes / 2;
  const auto paged = model->fit({batch, batch}, cap);
  CAPTURE(paged.text());
  REQUIRE(paged.device_bytes <= cap);
  CHECK(paged.paged > 2);
  CHECK(paged.paged_bytes >= one.device_bytes - cap);

  const auto wanted = gradients(gpu::make_cpu_backend(), deep, 1, much);
  for (const auto seed : gpu::test_seeds()) {
    CAPTURE(seed);
    // The cap is the device's too, so that more is not to be had.
    const auto lanes = [&] {
      return gpu::make_lane_backend({.seed = seed, .memory_bytes_max = cap});
    };
    CHECK(gradients(lanes(), deep, 1, cap) == wanted);
    CHECK(gradients(lanes(), deep, 2, cap) == wanted);
  }
}

TEST_CASE("a plan's bytes are those that a step takes, and the next allocates nothing") {
  const auto data = testing::random_dense(5, batch, 20, 3);
  const auto probe = gpu::make_cpu_backend();
  for (const std::uint64_t part : {1, 2}) {
    const auto all = (*make_model(deep, data.shape, *probe))->fit({batch, batch}, much);
    const auto limit = all.device_bytes / part;
    auto lanes = gpu::make_lane_backend({});
    auto& device = *lanes;
    flat_model model(data.shape, deep, std::move(lanes));
    const auto plan = model.model().fit({batch, batch}, limit);
    const std::vector<float> parameters(model.size(), 0.1F);
    std::vector<float> gradient;
    for (std::size_t s = 0; s < plan.steps_at_once; ++s)
      REQUIRE(model.forward_backward(data.view(), parameters, 1, gradient));
    // But for the labels and metrics of a second step, since none was begun before the end of the
    // first.
    const auto beside = (plan.steps_at_once - 1) * (block_of(batch) + block_of(1));
    CHECK(device.memory().held + beside == plan.device_bytes);
    const auto allocations = device.memory().allocations;
    for (int s = 0; s < 5; ++s) {
      REQUIRE(model.forward_backward(data.view(), parameters, 1, gradient));
      REQUIRE(model.evaluate(data.view(), parameters));
    }
    CHECK(device.memory().allocations == allocations);
  }
}

TEST_CASE("what does not fit even with paging has a plan that takes more than there is") {
  const auto probe = gpu::make_cpu_backend();
  const auto model = *make_model(deep, {layout::dense, 20, 3}, *probe);
  const auto least = model->fit({batch, batch}, 1);
  CHECK(least.device_bytes > 1);
  CHECK(least.steps_at_once == 1);
  CHECK(model->fit({batch, batch}, least.device_bytes).device_bytes == least.device_bytes);
  CHECK(least.text().find("one step at a time, with the activations of layers 0 to ") !=
        std::string::npos);
}

TEST_CASE("an evaluation's index path is copied to the device once, and allocates once") {
  std::vector<dataset> sets;
  for (std::uint64_t s = 0; s < 3; ++s)
    sets.push_back(testing::random_sparse(70 + s, batch, 90, 3, 8, false));
  auto lanes = gpu::make_lane_backend({});
  auto& device = *lanes;
  flat_model model(sets[0].shape, {}, std::move(lanes));
  const std::vector<float> parameters(model.size(), 0.1F);
  std::vector<step_metrics> first;
  const auto pass = [&](std::size_t number) {
    for (std::size_t s = 0; s < sets.size(); ++s) {
      const auto metrics = model.evaluate(sets[s].view(), parameters);
      REQUIRE(metrics);
      if (number == 0) first.push_back(*metrics);
      CHECK(metrics->loss_sum == first[s].loss_sum);
    }
  };
  pass(0);
  CHECK(device.copies().spared == 0);
  const auto allocations = device.memory().allocations;
  const auto copied = device.copies().in;
  pass(1);
  const auto indices = sets.size() * (batch + 1 + batch * 8) * sizeof(std::uint32_t);
  CHECK(device.copies().spared == indices);
  CHECK(device.copies().in == 2 * copied - indices);
  CHECK(device.memory().allocations == allocations);
}

TEST_CASE("index paths keep to their bytes, and give what was asked for all the same") {
  for (const auto seed : gpu::test_seeds()) {
    CAPTURE(seed);
    const auto device = gpu::make_lane_backend({.seed = seed});
    gpu::operand_source random(seed);
    std::vector<std::vector<std::uint32_t>> paths(12);
    for (std::size_t i = 0; i < paths.size(); ++i)
      paths[i].assign(50 + i, static_cast<std::uint32_t>(random.below(1000)));
    const std::vector<std::uint32_t> offsets{0, 1};
    const std::size_t most = random.below(3) * 1000;
    index_cache cache(*device, most);
    for (int i = 0; i < 100; ++i) {
      const auto& wanted = paths[random.below(paths.size())];
      const auto path = cache.find(offsets, wanted);
      std::vector<std::uint32_t> got(path.columns.size);
      device->copy_to_host(got.data(), path.columns.data, got.size() * sizeof(got[0]));
      REQUIRE_FALSE(device->wait());
      REQUIRE(got == wanted);
      // Blocks are of 512 bytes at least, and so are those of the offsets.
      REQUIRE(device->memory().in_use <= 1024 * (1 + most / (50 * sizeof(wanted[0]))));
    }
    if (most > 0) CHECK(cache.hits() > 0);
  }
}
