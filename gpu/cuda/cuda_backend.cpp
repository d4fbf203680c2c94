#include "gpu/cuda_backend.hpp"

#include "gpu/cuda/blas_library.hpp"
#include "gpu/cuda/cuda_fault.hpp"
#include "gpu/cuda/kernels.hpp"
#include "gpu/cuda/staging.hpp"
#include "gpu/cuda/stream_set.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <utility>

namespace gradmesh::gpu {

namespace {

constexpr std::size_t staging_bytes = std::size_t{32} << 20; // a direction
/// What NVIDIA recommends for Hopper; with less cuBLAS falls back to slower products.
constexpr std::size_t blas_workspace_bytes = std::size_t{32} << 20;

cublasComputeType_t compute_type(product_precision precision) {
  switch (precision) {
  case product_precision::tf32:
    return CUBLAS_COMPUTE_32F_FAST_TF32;
  case product_precision::bfloat16:
    return CUBLAS_COMPUTE_32F_FAST_16BF;
  default:
    return CUBLAS_COMPUTE_32F;
  }
}

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
  void do_copy_to_device(void* to, const void* host_from, std::size_t bytes) override;
  void do_copy_to_host(void* host_to, const void* from, std::size_t bytes) override;

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

fault cuda_backend::open() {
  if (auto why = GRADMESH_CUDA(cudaSetDevice(options_.device))) return why;
  if (auto why = streams_.open(options_.overlap)) return why;
  if (auto why = staging_in_.open()) return why;
  if (auto why = staging_out_.open()) return why;
  auto [blas, missing] = cuda::open_blas_library();
  if (missing) return missing;
  blas_ = blas;
  if (auto why = GRADMESH_CUDA(blas_.create(&blas_handle_))) return why;
  if (auto why = GRADMESH_CUDA(blas_.set_stream(blas_handle_, stream(lane::compute)))) return why;
  // After set_stream, which takes a workspace away. One of ours: cuBLAS then allocates nothing.
  void* workspace = allocate(blas_workspace_bytes);
  if (!workspace) return wait();
  if (auto why = GRADMESH_CUDA(blas_.set_workspace(blas_handle_, workspace, blas_workspace_bytes)))
    return why;

  // A kernel, to see that there is machine code for this device and that the device works.
  auto* probe = static_cast<float*>(allocate(sizeof(float)));
  float got = 0;
  fill(1, {probe, 1});
  copy_to_host(&got, probe, sizeof(float));
  if (const auto& why = wait()) return why;
  release(probe);
  if (got != 1) return {fault_kind::device_failed, name_ + ": a trial kernel did not write"};
  return {};
}

memory_pool::source cuda_backend::device_source() {
  const auto take = [this](std::size_t bytes) -> void* {
    void* memory = nullptr;
    call([&]() -> fault {
      auto why = GRADMESH_CUDA(cudaMalloc(&memory, bytes));
      // The pool tries again when it has given back what it can, and then `allocate` speaks.
      return why.kind == fault_kind::out_of_memory ? fault{} : why;
    });
    if (memory) order().add(memory, bytes);
    return memory;
  };
  return {take, [this](void* memory) {
            order().remove(memory);
            (void)cudaSetDevice(options_.device);
            (void)streams_.synchronize(); // the device may still use it
            (void)cudaFree(memory);
          }};
}

memory_pool::source cuda_backend::pinned_source() {
  const auto take = [this](std::size_t bytes) -> void* {
    void* memory = nullptr;
    call([&]() -> fault {
      auto why = GRADMESH_CUDA(cudaMallocHost(&memory, bytes));
      return why.kind == fault_kind::out_of_memory ? fault{} : why;
    });
    if (memory) order().add(memory, bytes);
    return memory;
  };
  return {take, [this](void* memory) {
            order().remove(memory);
            (void)streams_.synchronize();
            (void)cudaFreeHost(memory);
          }};
}

void* cuda_backend::allocate_from(memory_pool& pool, const char* kind, const char* bound,
                                  std::size_t bytes) {
  if (failed()) return nullptr;
  void* memory = pool.allocate(bytes);
  if (!memory && !failed()) {
    const auto& use = pool.use();
    fail(fault_kind::out_of_memory,
         name_ + ": no " + kind + " memory for a buffer of " + std::to_string(bytes) + " bytes: " +
             std::to_string(use.in_use) + " are in use, at most " + std::to_string(use.limit) +
             " are allowed, and " + bound + " has no more; use a smaller batch or model");
  }
  return memory;
}

void* cuda_backend::scratch(scratch_use use, std::size_t bytes) {
  auto& block = scratch_[use];
  if (block.bytes >= bytes) return block.memory;
  release(block.memory);
  block.memory = allocate(bytes);
  block.bytes = block.memory ? bytes : 0;
  if (!block.memory) return nullptr;
  // A copy may still have to do with what was here before.
  const auto waits = order().also_writes(lane::compute, block.memory);
  for (std::size_t other = 0; other < lanes; ++other)
    if (waits[other] > 0) do_await(lane::compute, static_cast<lane>(other), waits[other]);
  return block.memory;
}

bool cuda_backend::do_idle() {
  const auto state = streams_.query();
  if (state == cudaErrorNotReady) return false;
  call([&] { return GRADMESH_CUDA(state); });
  return true;
}

void cuda_backend::do_when_done(std::function<void()> what) {
  notifications_.remove_if(
      [](const notification& n) { return n.ran.load(std::memory_order_acquire); });
  auto& next = notifications_.emplace_back();
  next.call = std::move(what);
  call([&] { return streams_.await_all(lane::copy_out); });
  call([&] {
    return GRADMESH_CUDA(cudaLaunchHostFunc(stream(lane::copy_out), notification::run, &next));
  });
}

void cuda_backend::do_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                               device_matrix<const float> b, transpose transpose_b, float beta,
                               device_matrix<float> c) {
  const auto inner = transpose_a == transpose::yes ? a.rows : a.columns;
  if (inner == 0) {
    // cuBLAS wants leading dimensions of at least 1; and a beta of 0 must not read c.
    if (beta == 0) return do_fill(0, c.elements());
    return do_scale(beta, c.elements());
  }
  const auto operation = [](transpose t) {
    return t == transpose::yes ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  const auto count = [](std::size_t n) { return static_cast<int>(n); };
  // cuBLAS counts by columns, where a row-major matrix is its own transpose: c^T = b^T a^T.
  call([&] {
    return GRADMESH_CUDA(blas_.gemm(blas_handle_, operation(transpose_b), operation(transpose_a),
                                    count(c.columns), count(c.rows), count(inner), &alpha, b.data,
                                    CUDA_R_32F, count(b.columns), a.data, CUDA_R_32F,
                                    count(a.columns), &beta, c.data, CUDA_R_32F, count(c.columns),
                                    compute_type(options_.precision), CUBLAS_GEMM_DEFAULT));
  });
}

void cuda_backend::do_add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                                            device_matrix<float> out) {
  if (a.columns.size == 0) return;
  std::size_t bytes = 0;
  call([&] { return GRADMESH_CUDA(cuda::transpose_scratch(a.columns.size, out.rows, bytes)); });
  void* room = scratch(for_transposing, bytes);
  call([&] {
    return GRADMESH_CUDA(
        cuda::add_sparse_transposed(stream(lane::compute), a, d, out, room, bytes));
  });
}

void cuda_backend::do_copy_to_device(void* to, const void* host_from, std::size_t bytes) {
  const auto queue = stream(lane::copy_in);
  call([&] {
    return order().knows(host_from)
               ? GRADMESH_CUDA(cudaMemcpyAsync(to, host_from, bytes, cudaMemcpyHostToDevice, queue))
               : staging_in_.copy_in(queue, to, host_from, bytes);
  });
}

void cuda_backend::do_copy_to_host(void* host_to, const void* from, std::size_t bytes) {
  const auto queue = stream(lane::copy_out);
  call([&] {
    return order().knows(host_to)
               ? GRADMESH_CUDA(cudaMemcpyAsync(host_to, from, bytes, cudaMemcpyDeviceToHost, queue))
               : staging_out_.copy_out(queue, host_to, from, bytes);
  });
}

} // namespace

cuda_made make_cuda_backend(const cuda_options& options) {
  const auto list = cuda_devices();
  const auto name = "cuda:" + std::to_string(options.device);
  if (list.why) return {nullptr, {list.why.kind, name + ": " + list.why.text}};
  if (options.device < 0 || static_cast<std::size_t>(options.device) >= list.devices.size())
    return {
        nullptr,
        {fault_kind::no_device,
         name + ": this machine has " + std::to_string(list.devices.size()) +
             " CUDA device(s); choose cuda:0 to cuda:" + std::to_string(list.devices.size() - 1)}};
  auto bounded = options;
  std::size_t free = 0, all = 0;
  if (auto why = GRADMESH_CUDA(cudaSetDevice(options.device)))
    return {nullptr, {why.kind, name + ": " + why.text}};
  if (auto why = GRADMESH_CUDA(cudaMemGetInfo(&free, &all)))
    return {nullptr, {why.kind, name + ": " + why.text}};
  bounded.memory_bytes_max = std::min(options.memory_bytes_max, free);
  auto made = std::make_unique<cuda_backend>(bounded);
  if (auto why = made->open()) return {nullptr, {why.kind, name + ": " + why.text}};
  return {std::move(made), {}};
}

} // namespace gradmesh::gpu
