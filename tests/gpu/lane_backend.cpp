#include "tests/gpu/lane_backend.hpp"

#include "gpu/cpu_backend.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <utility>
#include <vector>

namespace gradmesh::gpu {

namespace {

class lane_backend final : public backend {
public:
  explicit lane_backend(const lane_backend_options& options)
      : idle_works_(options.idle_works), copied_(options.copies),
        calls_waiting_max_(options.calls_waiting_max), items_left_(options.items_max),
        random_(options.seed), cpu_(make_cpu_backend()),
        device_pool_(source(), options.memory_bytes_max),
        host_pool_(source(), std::size_t{1} << 30) {
    work_in_lanes();
  }

  ~lane_backend() override {
    if (!copied_) return;
    copied_->in += copies().in;
    copied_->out += copies().out;
    copied_->detour += copies().detour;
    copied_->spared += copies().spared;
  }

  std::string_view name() const override { return "lanes"; }
  bool shares_host_memory() const override { return false; }
  memory_use memory() const override { return device_pool_.use(); }
  void* allocate(std::size_t bytes) override { return from(device_pool_, bytes); }
  void release(void* memory) override { device_pool_.release(memory); }
  void* allocate_host(std::size_t bytes) override { return from(host_pool_, bytes); }
  void release_host(void* memory) override { host_pool_.release(memory); }
  std::shared_ptr<pinned_memory> make_pinned() override {
    return std::make_shared<pinned_memory>(
        memory_pool::source{[](std::size_t bytes) { return std::aligned_alloc(64, bytes); },
                            [](void* memory) { std::free(memory); }},
        std::size_t{1} << 30);
  }

private:
  struct item {
    std::function<void()> work; // empty: await
    lane other = lane::compute;
    ticket until = 0;
  };

  static std::size_t index(lane l) { return static_cast<std::size_t>(l); }

  memory_pool::source source() {
    const auto take = [this](std::size_t bytes) {
      void* memory = cpu_->allocate(bytes);
      if (memory) order().add(memory, bytes);
      return memory;
    };
    return {take, [this](void* memory) {
              drain(); // as cudaFree does
              order().remove(memory);
              cpu_->release(memory);
            }};
  }

  void* from(memory_pool& pool, std::size_t bytes) {
    void* memory = pool.allocate(bytes);
    if (!memory)
      fail(fault_kind::out_of_memory, "lanes: no memory for a buffer of " + std::to_string(bytes) +
                                          " bytes: at most " + std::to_string(pool.use().limit) +
                                          " are allowed");
    return memory;
  }

  void push(lane where, std::function<void()> work) {
    queues_[index(where)].push_back({std::move(work)});
  }

  bool runnable(const item& next) const {
    return next.work || done_[index(next.other)] >= next.until;
  }

  /// False: nothing is left.
  bool run_one() {
    std::array<std::size_t, lanes> ready{};
    std::size_t count = 0;
    bool left = false;
    for (std::size_t l = 0; l < lanes; ++l) {
      left = left || !queues_[l].empty();
      if (!queues_[l].empty() && runnable(queues_[l].front())) ready[count++] = l;
    }
    if (!left) return false;
    if (count == 0) {
      fail(fault_kind::device_failed, "lanes: they wait for each other");
      return false;
    }
    if (items_left_-- == 0) {
      fail(fault_kind::device_lost, "lanes: the device is lost, as planned");
      return false;
    }
    auto& queue = queues_[ready[random_() % count]];
    const auto next = std::move(queue.front());
    queue.pop_front();
    if (next.work) next.work();
    return true;
  }

  void drain() {
    while (!failed() && run_one()) {
    }
  }

  void do_wait() override {
    drain();
    if (failed()) return;
    // As from staging memory: until now it was not where it belongs.
    for (const auto& [to, from] : std::exchange(staged_, {}))
      std::memcpy(to, from->data(), from->size());
  }
  bool do_idle() override {
    if (!idle_works_) return false;
    for (auto left = 1 + random_() % 16; left > 0; --left)
      if (!run_one()) return true;
    return false;
  }
  void do_when_done(std::function<void()> call) override {
    for (const auto l : {lane::copy_in, lane::compute})
      do_await(lane::copy_out, l, enqueued_[index(l)]);
    if (calls_waiting_max_) *calls_waiting_max_ = std::max(*calls_waiting_max_, ++calls_waiting_);
    push(lane::copy_out, [this, call = std::move(call)] {
      if (calls_waiting_ > 0) --calls_waiting_;
      call();
    });
  }
  void do_await(lane where, lane other, ticket until) override {
    queues_[index(where)].push_back({nullptr, other, until});
  }
  void do_mark(lane where) override {
    ++enqueued_[index(where)];
    push(where, [this, where] { ++done_[index(where)]; });
  }

  void do_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                   device_matrix<const float> b, transpose transpose_b, float beta,
                   device_matrix<float> c) override {
    push(lane::compute,
         [=, this] { cpu_->multiply(alpha, a, transpose_a, b, transpose_b, beta, c); });
  }
  void do_multiply_sparse(const csr_matrix& a, device_matrix<const float> w,
                          device_matrix<float> out) override {
    push(lane::compute, [=, this] { cpu_->multiply_sparse(a, w, out); });
  }
  void do_add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                                device_matrix<float> out) override {
    push(lane::compute, [=, this] { cpu_->add_sparse_transposed(a, d, out); });
  }
  void do_add_bias(device_span<const float> bias, activation f, device_matrix<float> x) override {
    push(lane::compute, [=, this] { cpu_->add_bias(bias, f, x); });
  }
  void do_relu_backward(device_span<const float> activated, device_span<float> g) override {
    push(lane::compute, [=, this] {
      cpu_->relu_backward(as_matrix(activated, 1, g.size), as_matrix(g, 1, g.size));
    });
  }
  void do_softmax_cross_entropy(device_span<const std::int32_t> labels, float factor,
                                device_matrix<float> z, batch_metrics* metrics) override {
    push(lane::compute, [=, this] {
      cpu_->softmax_cross_entropy(labels, factor, z, {metrics, 1});
    });
  }
  void do_sum_rows(device_matrix<const float> x, device_span<float> out) override {
    push(lane::compute, [=, this] { cpu_->sum_rows(x, out); });
  }
  void do_add_scaled(float alpha, device_span<const float> x, device_span<float> y) override {
    push(lane::compute, [=, this] { cpu_->add_scaled(alpha, x, y); });
  }
  void do_scale(float alpha, device_span<float> x) override {
    push(lane::compute, [=, this] { cpu_->scale(alpha, x); });
  }
  void do_fill(float value, device_span<float> x) override {
    push(lane::compute, [=, this] { cpu_->fill(value, x); });
  }
  void do_gather_rows(device_matrix<const float> table, device_span<const std::uint32_t> rows,
                      device_matrix<float> out) override {
    push(lane::compute, [=, this] { cpu_->gather_rows(table, rows, out); });
  }
  void do_scatter_rows(device_matrix<const float> x, device_span<const std::uint32_t> rows,
                       device_matrix<float> table) override {
    push(lane::compute, [=, this] { cpu_->scatter_rows(x, rows, table); });
  }
  void do_update_momentum(float rate, float mu, device_span<const float> g, device_span<float> w,
                          device_span<float> v) override {
    push(lane::compute, [=, this] { cpu_->update_momentum(rate, mu, g, w, v); });
  }
  /// By the formula again: the scales that are given here stand for a step that is not.
  void do_update_adam(float rate, const adam_factors& f, float mean_scale, float square_scale,
                      device_span<const float> g, device_span<float> w, device_span<float> mean,
                      device_span<float> square) override {
    push(lane::compute, [=] {
      for (std::size_t i = 0; i < w.size; ++i) {
        mean.data[i] = f.beta1 * mean.data[i] + (1 - f.beta1) * g.data[i];
        square.data[i] = f.beta2 * square.data[i] + (1 - f.beta2) * g.data[i] * g.data[i];
        w.data[i] -= rate * (mean.data[i] * mean_scale) /
                     (std::sqrt(square.data[i] * square_scale) + f.epsilon);
      }
    });
  }
  void do_copy_to_device(void* to, const void* host_from, std::size_t bytes, bool) override {
    push(lane::copy_in, [=] { std::memcpy(to, host_from, bytes); });
  }
  void do_copy_to_host(void* host_to, const void* from, std::size_t bytes, bool detour) override {
    if (!detour) return push(lane::copy_out, [=] { std::memcpy(host_to, from, bytes); });
    const auto staged = std::make_shared<std::vector<std::byte>>(bytes);
    push(lane::copy_out, [=] { std::memcpy(staged->data(), from, bytes); });
    staged_.push_back({host_to, staged});
  }

  const bool idle_works_;
  const std::shared_ptr<copy_use> copied_;
  const std::shared_ptr<std::size_t> calls_waiting_max_;
  std::size_t calls_waiting_ = 0;
  std::uint64_t items_left_;
  std::mt19937_64 random_;
  std::unique_ptr<backend> cpu_;
  std::array<std::deque<item>, lanes> queues_;
  std::vector<std::pair<void*, std::shared_ptr<std::vector<std::byte>>>> staged_;
  lane_tickets enqueued_{};
  lane_tickets done_{};
  memory_pool device_pool_;
  memory_pool host_pool_;
};

} // namespace

std::unique_ptr<backend> make_lane_backend(const lane_backend_options& options) {
  return std::make_unique<lane_backend>(options);
}

} // namespace gradmesh::gpu
