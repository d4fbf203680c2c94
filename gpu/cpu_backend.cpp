#include "gpu/cpu_backend.hpp"

#include "gpu/cpu_multiply.hpp"
#include "gpu/softmax_row.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace gradmesh::gpu {

namespace {

/// y += alpha x, the loop that sparse products live in.
void add_row(float alpha, const float* __restrict x, float* __restrict y, std::size_t count) {
  for (std::size_t j = 0; j < count; ++j)
    y[j] += alpha * x[j];
}

class cpu_backend final : public backend {
public:
  explicit cpu_backend(host_memory memory) : memory_(memory) {}

  std::string_view name() const override { return "cpu"; }
  bool shares_host_memory() const override { return memory_ == host_memory::shared; }

  void* allocate(std::size_t bytes) override {
    constexpr std::size_t alignment = 64;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* memory = rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
    if (!memory)
      fail(fault_kind::out_of_memory,
           "cpu: no memory for a buffer of " + std::to_string(bytes) +
               " bytes; use a smaller batch or model, or a machine with more memory");
    return memory;
  }

  void release(void* memory) override { std::free(memory); }
  void* allocate_host(std::size_t bytes) override { return allocate(bytes); }
  void release_host(void* memory) override { std::free(memory); }

private:
  void do_wait() override {}

  void do_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                   device_matrix<const float> b, transpose transpose_b, float beta,
                   device_matrix<float> c) override {
    cpu_multiply(alpha, a, transpose_a, b, transpose_b, beta, c);
  }

  void do_multiply_sparse(const csr_matrix& a, device_matrix<const float> w,
                          device_matrix<float> out) override {
    std::fill_n(out.data, out.size(), 0.0F);
    for (std::size_t i = 0; i < out.rows; ++i)
      for (std::size_t k = a.offsets.data[i]; k < a.offsets.data[i + 1]; ++k) {
        const std::size_t entry = k - a.first_offset;
        add_row(a.values.data[entry], w.data + a.columns.data[entry] * w.columns,
                out.data + i * out.columns, out.columns);
      }
  }

  void do_add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                                device_matrix<float> out) override {
    for (std::size_t i = 0; i < d.rows; ++i)
      for (std::size_t k = a.offsets.data[i]; k < a.offsets.data[i + 1]; ++k) {
        const std::size_t entry = k - a.first_offset;
        add_row(a.values.data[entry], d.data + i * d.columns,
                out.data + a.columns.data[entry] * out.columns, out.columns);
      }
  }

  void do_add_bias(device_span<const float> bias, activation f, device_matrix<float> x) override {
    const float* __restrict b = bias.data;
    for (std::size_t i = 0; i < x.rows; ++i) {
      float* __restrict row = x.data + i * x.columns;
      if (f == activation::relu)
        // Written so that a NaN stays one instead of becoming 0.
        for (std::size_t j = 0; j < x.columns; ++j)
          row[j] = std::max(row[j] + b[j], 0.0F);
      else
        for (std::size_t j = 0; j < x.columns; ++j)
          row[j] += b[j];
    }
  }

  void do_relu_backward(device_span<const float> activated, device_span<float> gradient) override {
    const float* __restrict y = activated.data;
    float* __restrict g = gradient.data;
    for (std::size_t i = 0; i < gradient.size; ++i)
      g[i] = y[i] == 0.0F ? 0.0F : g[i];
  }

  void do_softmax_cross_entropy(device_span<const std::int32_t> labels, float scale,
                                device_matrix<float> z, batch_metrics* metrics) override {
    *metrics = {};
    for (std::size_t i = 0; i < z.rows; ++i)
      softmax_row(labels.data[i], scale, z.data + i * z.columns, z.columns, *metrics);
  }

  void do_sum_rows(device_matrix<const float> x, device_span<float> out) override {
    std::fill_n(out.data, out.size, 0.0F);
    for (std::size_t i = 0; i < x.rows; ++i)
      add_row(1.0F, x.data + i * x.columns, out.data, out.size);
  }

  void do_add_scaled(float alpha, device_span<const float> x, device_span<float> y) override {
    add_row(alpha, x.data, y.data, y.size);
  }

  void do_scale(float alpha, device_span<float> x) override {
    for (std::size_t i = 0; i < x.size; ++i)
      x.data[i] *= alpha;
  }

  void do_fill(float value, device_span<float> x) override { std::fill_n(x.data, x.size, value); }

  void do_gather_rows(device_matrix<const float> table, device_span<const std::uint32_t> rows,
                      device_matrix<float> out) override {
    for (std::size_t i = 0; i < out.rows; ++i)
      std::copy_n(table.data + rows.data[i] * table.columns, out.columns,
                  out.data + i * out.columns);
  }

  void do_scatter_rows(device_matrix<const float> x, device_span<const std::uint32_t> rows,
                       device_matrix<float> table) override {
    for (std::size_t i = 0; i < x.rows; ++i)
      std::copy_n(x.data + i * x.columns, x.columns, table.data + rows.data[i] * table.columns);
  }

  void do_update_momentum(float rate, float mu, device_span<const float> g, device_span<float> w,
                          device_span<float> v) override {
    for (std::size_t i = 0; i < w.size; ++i) {
      v.data[i] = mu * v.data[i] + g.data[i];
      w.data[i] -= rate * v.data[i];
    }
  }

  void do_update_adam(float rate, const adam_factors& factors, float mean_scale, float square_scale,
                      device_span<const float> g, device_span<float> w, device_span<float> mean,
                      device_span<float> square) override {
    for (std::size_t i = 0; i < w.size; ++i) {
      auto& m = mean.data[i];
      auto& s = square.data[i];
      m = factors.beta1 * m + (1 - factors.beta1) * g.data[i];
      s = factors.beta2 * s + (1 - factors.beta2) * g.data[i] * g.data[i];
      w.data[i] -= rate * (m * mean_scale) / (std::sqrt(s * square_scale) + factors.epsilon);
    }
  }

  void do_copy_to_device(void* to, const void* host_from, std::size_t bytes, bool) override {
    std::memcpy(to, host_from, bytes);
  }

  void do_copy_to_host(void* host_to, const void* from, std::size_t bytes, bool) override {
    std::memcpy(host_to, from, bytes);
  }

  host_memory memory_;
};

} // namespace

std::unique_ptr<backend> make_cpu_backend(host_memory memory) {
  prepare_cpu_multiply();
  return std::make_unique<cpu_backend>(memory);
}

} // namespace gradmesh::gpu
