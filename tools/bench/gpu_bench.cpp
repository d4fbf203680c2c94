#include "tools/bench/gpu_bench.hpp"

#include "actors/learning/mlp.hpp"
#include "gpu/cpu_backend.hpp"
#include "gpu/host_buffer.hpp"
#include "tools/bench/statistics.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <semaphore>

namespace gradmesh::tools::bench {
namespace {

using clock = std::chrono::steady_clock;
using gpu::as_matrix;
using gpu::transpose;

constexpr std::uint32_t classes = 1024;
/// So that the first step's copies in and the last one's copies out are a small part.
constexpr unsigned steps_in_turn = 8;
constexpr std::size_t copy_bytes = std::size_t{256} << 20;

result<std::unique_ptr<gpu::backend>> open(const gpu_options& options, bool overlap) {
  if (options.on_cpu) return gpu::make_cpu_backend(gpu::host_memory::copied);
  return env::real_devices()(
      {.device = options.device, .precision = options.precision, .overlap = overlap});
}

std::vector<float> random_floats(std::size_t count, float scale) {
  std::minstd_rand random(7);
  std::vector<float> values(count);
  for (auto& v : values)
    v = scale * (static_cast<float>(random() % 20001) / 10000.0F - 1);
  return values;
}

/// A perceptron on a backend, with parameters and gradients in memory that copies run from and to
/// without a detour.
class step_load {
public:
  step_load(const gpu_options& options, gpu::backend& device)
      : device_(device), batch_(static_cast<float>(options.batch)),
        parameters_(device), gradients_{gpu::host_buffer<float>(device),
                                        gpu::host_buffer<float>(device)},
        examples_(device), shape_{learning::layout::dense, options.width, classes},
        model_(shape_, std::vector<std::uint32_t>(options.layers, options.width), 0, device) {
    const auto size = learning::dense_size(model_.tables());
    const auto values = random_floats(size, 0.01F);
    std::ranges::copy(values, parameters_.room(size).begin());
    for (auto& gradients : gradients_)
      gradients.room(size);
    const auto inputs = random_floats(std::size_t{options.batch} * options.width, 1);
    const auto room = examples_.room(inputs.size());
    std::ranges::copy(inputs, room.begin());
    inputs_ = room;
    for (std::uint32_t i = 0; i < options.batch; ++i)
      labels_.push_back(static_cast<std::int32_t>(i * 37 % classes));
  }

  std::size_t parameter_bytes() const {
    return learning::dense_size(model_.tables()) * sizeof(float);
  }

  /// So many steps, each begun when the one `at_once` before it is done, as a gpu_stream does.
  result<void> run(unsigned steps, unsigned at_once) {
    for (unsigned s = 0; s < steps; ++s) {
      if (s >= at_once)
        if (auto ended = end_oldest(); !ended) return ended;
      if (auto begun = begin(gradients_[s % 2]); !begun) return begun;
      device_.when_done([this] { done_.release(); });
    }
    for (unsigned s = 0; s < std::min(steps, at_once); ++s)
      if (auto ended = end_oldest(); !ended) return ended;
    return {};
  }

private:
  result<void> begin(gpu::host_buffer<float>& gradients) {
    const auto size = learning::dense_size(model_.tables());
    const learning::example_view batch{
        .shape = shape_, .labels = labels_, .offsets = {}, .indices = {}, .values = inputs_};
    return model_.begin(batch, {}, {parameters_.room(size), {}}, 1.0F / batch_,
                        {gradients.room(size), {}});
  }

  result<void> end_oldest() {
    // A device that is lost says nothing.
    while (!done_.try_acquire_for(std::chrono::milliseconds(100)))
      if (const auto& why = device_.look()) return error{errc::io_failed, why.text};
    (void)model_.end();
    return {};
  }

  gpu::backend& device_;
  float batch_;
  gpu::host_buffer<float> parameters_;
  std::array<gpu::host_buffer<float>, 2> gradients_;
  gpu::host_buffer<float> examples_;
  std::counting_semaphore<> done_{0};
  std::span<const float> inputs_;
  learning::data_shape shape_;
  learning::mlp model_;
  std::vector<std::int32_t> labels_;
};

/// The products of a step and nothing else: operands on the device, calls of cuBLAS.
class product_load {
public:
  product_load(const gpu_options& options, gpu::backend& device)
      : width_(options.width), layers_(options.layers), batch_(options.batch), device_(device),
        weights_(device), activations_(device), deltas_(device) {
    const auto values = random_floats(std::size_t{batch_} * width_, 1);
    const auto w = random_floats(std::size_t{width_} * std::max(width_, classes), 0.01F);
    device_.copy_to_device(activations_.scratch(values.size()).data, values.data(),
                           values.size() * sizeof(float));
    device_.copy_to_device(deltas_.scratch(values.size()).data, values.data(),
                           values.size() * sizeof(float));
    device_.copy_to_device(weights_.scratch(w.size()).data, w.data(), w.size() * sizeof(float));
    (void)device_.wait();
  }

  double operations() const {
    double products = 0;
    for (std::uint32_t k = 0; k <= layers_; ++k)
      products += 2.0 * batch_ * width_ * outputs(k) * (k == 0 ? 2 : 3);
    return products;
  }

  void run() {
    for (std::uint32_t k = 0; k <= layers_; ++k) {
      const auto x = as_matrix(activations_.scratch(std::size_t{batch_} * width_), batch_, width_);
      const auto w =
          as_matrix(weights_.scratch(std::size_t{width_} * outputs(k)), width_, outputs(k));
      const auto y =
          as_matrix(deltas_.scratch(std::size_t{batch_} * outputs(k)), batch_, outputs(k));
      device_.multiply(1, x, transpose::no, w, transpose::no, 0, y);
      device_.multiply(1, x, transpose::yes, y, transpose::no, 0, w);
      if (k > 0) device_.multiply(1, y, transpose::no, w, transpose::yes, 0, x);
      // Values that grow from product to product would be another load.
      device_.scale(0.01F, w.elements());
    }
  }

private:
  std::uint32_t outputs(std::uint32_t k) const { return k == layers_ ? classes : width_; }

  std::uint32_t width_, layers_, batch_;
  gpu::backend& device_;
  gpu::buffer<float> weights_, activations_, deltas_;
};

/// Copies of `bytes`, which are cut into the parts of the memory that is there.
class copy_load {
public:
  explicit copy_load(gpu::backend& device)
      : device_(device), host_in_(device), host_out_(device), in_(device), out_(device) {
    const auto values = random_floats(copy_bytes / sizeof(float), 1);
    std::ranges::copy(values, host_in_.room(values.size()).begin());
    host_out_.room(values.size());
    device_.fill(1, out_.scratch(values.size()));
  }

  void in(std::size_t bytes) {
    for (; bytes > 0; bytes -= std::min(bytes, copy_bytes))
      device_.copy_to_device(in_.scratch(copy_bytes / sizeof(float)).data, host_in_.room(1).data(),
                             std::min(bytes, copy_bytes));
  }
  void out(std::size_t bytes) {
    for (; bytes > 0; bytes -= std::min(bytes, copy_bytes))
      device_.copy_to_host(host_out_.room(1).data(), out_.scratch(copy_bytes / sizeof(float)).data,
                           std::min(bytes, copy_bytes));
  }

private:
  gpu::backend& device_;
  gpu::host_buffer<float> host_in_, host_out_;
  gpu::buffer<float> in_, out_;
};

/// A way to spend time, and how long it took in each run.
struct way {
  std::string name;
  std::function<result<void>()> work;
  double amount = 0; // a run's; by it the rate
  std::string unit;
  std::vector<double> seconds = {};
  double repeats = 1; // of a run
};

result<void> measure(std::vector<way>& ways, const gpu_options& options) {
  for (unsigned run = 0; run <= options.runs; ++run) {
    if (options.progress) options.progress(run == 0 ? "warming up" : "run " + std::to_string(run));
    for (auto& w : ways) {
      const auto begin = clock::now();
      if (auto done = w.work(); !done) return done;
      const std::chrono::duration<double> took = clock::now() - begin;
      if (run > 0) w.seconds.push_back(took.count() / w.repeats);
    }
  }
  return {};
}

} // namespace

result<gpu_report> run_gpu_bench(const gpu_options& options) {
  auto device = open(options, true);
  if (!device) return device.failure();
  auto one_lane = open(options, false);
  if (!one_lane) return one_lane.failure();
  auto& d = **device;
  const auto waited = [](gpu::backend& b) -> result<void> {
    if (const auto& why = b.wait()) return {errc::io_failed, why.text};
    return {};
  };
  step_load step(options, d), serial_step(options, **one_lane);
  product_load products(options, d);
  copy_load copies(d);
  const auto bytes = step.parameter_bytes();
  const auto gigabytes = static_cast<double>(bytes) / 1e9;
  const auto teraflop = products.operations() / 1e12;
  std::vector<way> ways{
      {"step", [&] { return step.run(1, 1); }, teraflop, "TFLOP"},
      {"step-without-overlap", [&] { return serial_step.run(1, 1); }, teraflop, "TFLOP"},
      {"products-alone", [&] { return products.run(), waited(d); }, teraflop, "TFLOP"},
      {"copy-in", [&] { return copies.in(bytes), waited(d); }, gigabytes, "GB"},
      {"copy-out", [&] { return copies.out(bytes), waited(d); }, gigabytes, "GB"},
      {"copy-both", [&] { return copies.in(bytes), copies.out(bytes), waited(d); }, 2 * gigabytes,
       "GB"},
      {"steps-two-at-once",
       [&] { return step.run(steps_in_turn, 2); },
       teraflop,
       "TFLOP",
       {},
       steps_in_turn}};
  if (auto first = step.run(2, 2); !first) return first.failure();
  const auto allocations = d.memory().allocations;
  if (auto done = measure(ways, options); !done) return done.failure();

  gpu_report report;
  report.device = d.name();
  report.allocations_later = d.memory().allocations - allocations;
  for (const auto& w : ways) {
    const auto middle = median(w.seconds);
    report.figures.push_back({w.name, middle, spread(w.seconds), w.amount / middle, w.unit});
  }
  const auto seconds_of = [&](std::size_t i) { return report.figures[i].seconds; };
  report.step_to_bound = seconds_of(0) / std::max(seconds_of(2), seconds_of(5));
  report.products_share = seconds_of(2) / seconds_of(0);
  report.two_to_bound = seconds_of(6) / std::max(seconds_of(2), seconds_of(5));
  return report;
}

} // namespace gradmesh::tools::bench
