#include "gpu/cuda/cuda_backend_class.hpp"

namespace gradmesh::gpu {
namespace {

/// What NVIDIA recommends for Hopper; with less cuBLAS falls back to slower products.
constexpr std::size_t blas_workspace_bytes = std::size_t{32} << 20;

} // namespace

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
