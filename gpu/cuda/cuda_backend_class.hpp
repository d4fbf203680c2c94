#pragma once

/// The class behind gpu/cuda_backend.hpp. Opening and what runs when: cuda_backend.cpp; memory and
/// copies: cuda_memory.cpp; products: cuda_products.cpp; the other operations are kernels, and
/// here.

#include "gpu/cuda/blas_library.hpp"
#include "gpu/cuda/cuda_fault.hpp"
#include "gpu/cuda/kernels.hpp"
#include "gpu/cuda/pinned.hpp"
#include "gpu/cuda/staging.hpp"
#include "gpu/cuda/stream_set.hpp"
#include "gpu/cuda_backend.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <utility>

namespace gradmesh::gpu {

inline constexpr std::size_t staging_bytes = std::size_t{32} << 20; // a direction

/// A call that a stream has been given; CUDA's thread runs it.
struct notification {
  std::function<void()> call;
  std::atomic<bool> ran = false;

  static void CUDART_CB run(void* self) {
    auto& n = *static_cast<notification*>(self);
    n.call();
    n.ran.store(true, std::memory_order_release);
  }
};

class cuda_backend final : public backend {
public:
  explicit cuda_backend(const cuda_options& options)
      : options_(options), name_("cuda:" + std::to_string(options.device)),
        device_pool_(device_source(), options.memory_bytes_max),
        pinned_pool_(pinned_source(), options.pinned_bytes_max), staging_in_(staging_bytes),
        staging_out_(staging_bytes) {
    work_in_lanes();
  }

  ~cuda_backend() override {
    (void)cudaSetDevice(options_.device);
    (void)streams_.synchronize();
    if (blas_handle_) (void)blas_.destroy(blas_handle_);
  }

  fault open();

  std::string_view name() const override { return name_; }
  bool shares_host_memory() const override { return false; }
  memory_use memory() const override { return device_pool_.use(); }

  void* allocate(std::size_t bytes) override {
    return allocate_from(device_pool_, "device", "device_memory_limit or the device", bytes);
  }
  void release(void* memory) override { device_pool_.release(memory); }
  void* allocate_host(std::size_t bytes) override {
    return allocate_from(pinned_pool_, "pinned host", "the limit or the host", bytes);
  }
  void release_host(void* memory) override { pinned_pool_.release(memory); }
  std::shared_ptr<pinned_memory> make_pinned() override {
    return cuda::make_pinned_memory(options_.device, options_.pinned_bytes_max);
  }
  std::size_t scratch_bytes(std::size_t rows, std::size_t columns) const override {
    return memory_pool::block_bytes(
        std::max(cuda::softmax_scratch(rows), cuda::sum_rows_scratch(rows, columns)));
  }

private:
  /// Scratch memory by use; all in the compute lane.
  enum scratch_use : std::size_t { for_sums, for_transposing, scratch_uses };
  struct scratch_block {
    void* memory = nullptr;
    std::size_t bytes = 0;
  };

  memory_pool::source device_source();
  memory_pool::source pinned_source();
  void* allocate_from(memory_pool& pool, const char* kind, const char* bound, std::size_t bytes);
  void* scratch(scratch_use use, std::size_t bytes);
  cudaStream_t stream(lane l) const { return streams_.of(l); }

  /// Runs what returns a fault, on this backend's device, unless there was one.
  template <class Call>
  void call(const Call& what) {
    if (failed()) return;
    if (auto why = GRADMESH_CUDA(cudaSetDevice(options_.device))) return fail(std::move(why));
    if (auto why = what()) fail(std::move(why));
  }

  void do_wait() override {
    call([&] { return streams_.synchronize(); });
    call([&] { return staging_in_.finish(); });
    call([&] { return staging_out_.finish(); });
  }
  bool do_idle() override;
  void do_when_done(std::function<void()> what) override;
  void do_await(lane where, lane other, ticket until) override {
    call([&] { return streams_.await(where, other, until); });
  }
  void do_mark(lane where) override {
    call([&] { return streams_.mark(where); });
  }

  void do_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                   device_matrix<const float> b, transpose transpose_b, float beta,
                   device_matrix<float> c) override;
  void do_multiply_sparse(const csr_matrix& a, device_matrix<const float> w,
                          device_matrix<float> out) override {
    call([&] { return GRADMESH_CUDA(cuda::multiply_sparse(stream(lane::compute), a, w, out)); });
  }
  void do_add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                                device_matrix<float> out) override;
  void do_add_bias(device_span<const float> bias, activation f, device_matrix<float> x) override {
    call([&] { return GRADMESH_CUDA(cuda::add_bias(stream(lane::compute), bias, f, x)); });
  }
  void do_relu_backward(device_span<const float> activated, device_span<float> gradient) override {
    call([&] {
      return GRADMESH_CUDA(cuda::relu_backward(stream(lane::compute), activated, gradient));
    });
  }
  void do_softmax_cross_entropy(device_span<const std::int32_t> labels, float factor,
                                device_matrix<float> z, batch_metrics* metrics) override {
    void* room = scratch(for_sums, cuda::softmax_scratch(z.rows));
    call([&] {
      return GRADMESH_CUDA(
          cuda::softmax_cross_entropy(stream(lane::compute), labels, factor, z, metrics, room));
    });
  }
  void do_sum_rows(device_matrix<const float> x, device_span<float> out) override {
    void* room = scratch(for_sums, cuda::sum_rows_scratch(x.rows, x.columns));
    call([&] { return GRADMESH_CUDA(cuda::sum_rows(stream(lane::compute), x, out, room)); });
  }
  void do_add_scaled(float alpha, device_span<const float> x, device_span<float> y) override {
    call([&] { return GRADMESH_CUDA(cuda::add_scaled(stream(lane::compute), alpha, x, y)); });
  }
  void do_scale(float alpha, device_span<float> x) override {
    call([&] { return GRADMESH_CUDA(cuda::scale(stream(lane::compute), alpha, x)); });
  }
  void do_fill(float value, device_span<float> x) override {
    call([&] { return GRADMESH_CUDA(cuda::fill(stream(lane::compute), value, x)); });
  }
  void do_gather_rows(device_matrix<const float> table, device_span<const std::uint32_t> rows,
                      device_matrix<float> out) override {
    call([&] { return GRADMESH_CUDA(cuda::gather_rows(stream(lane::compute), table, rows, out)); });
  }
  void do_scatter_rows(device_matrix<const float> x, device_span<const std::uint32_t> rows,
                       device_matrix<float> table) override {
    call([&] { return GRADMESH_CUDA(cuda::scatter_rows(stream(lane::compute), x, rows, table)); });
  }
  void do_update_momentum(float rate, float mu, device_span<const float> g, device_span<float> w,
                          device_span<float> v) override {
    call([&] {
      return GRADMESH_CUDA(cuda::update_momentum(stream(lane::compute), rate, mu, g, w, v));
    });
  }
  void do_update_adam(float rate, const adam_factors& factors, float mean_scale, float square_scale,
                      device_span<const float> g, device_span<float> w, device_span<float> mean,
                      device_span<float> square) override {
    call([&] {
      return GRADMESH_CUDA(cuda::update_adam(stream(lane::compute), rate, factors, mean_scale,
                                             square_scale, g, w, mean, square));
    });
  }
  void do_copy_to_device(void* to, const void* host_from, std::size_t bytes, bool detour) override;
  void do_copy_to_host(void* host_to, const void* from, std::size_t bytes, bool detour) override;

  const cuda_options options_;
  const std::string name_;
  std::list<notification> notifications_; // outlive the streams that run them
  cuda::stream_set streams_;              // outlive the pools, which wait for them
  memory_pool device_pool_;
  memory_pool pinned_pool_;
  cuda::staging staging_in_;
  cuda::staging staging_out_;
  cuda::blas_library blas_;
  cublasHandle_t blas_handle_ = nullptr;
  std::array<scratch_block, scratch_uses> scratch_{};
};

} // namespace gradmesh::gpu
