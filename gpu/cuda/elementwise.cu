#include "gpu/cuda/kernels.hpp"
#include "gpu/cuda/launch.cuh"

#include <cstdint>

namespace gradmesh::gpu::cuda {

namespace {

constexpr unsigned threads = 256;
constexpr std::size_t vector_floats = 4; // 16 bytes a thread and access

bool aligned(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % sizeof(float4) == 0;
}

template <class... Spans>
bool all_aligned(const Spans&... spans) {
  return (aligned(spans.data) && ...);
}

/// body(i) for every i below `count`, each by one thread.
template <class Body>
__global__ void __launch_bounds__(threads) each(std::size_t count, Body body) {
  const std::size_t stride = std::size_t{gridDim.x} * threads;
  for (std::size_t i = std::size_t{blockIdx.x} * threads + threadIdx.x; i < count; i += stride)
    body(i);
}

template <class Body>
cudaError_t launch_each(cudaStream_t stream, std::size_t count, const Body& body) {
  each<<<blocks_for(count, threads), threads, 0, stream>>>(count, body);
  return cudaGetLastError();
}

__device__ float bias_and(activation f, float x, float bias) {
  const float sum = x + bias;
  // Written so that a NaN stays one.
  return f == activation::relu && sum < 0.0F ? 0.0F : sum;
}

} // namespace

cudaError_t add_bias(cudaStream_t stream, device_span<const float> bias, activation f,
                     device_matrix<float> x) {
  const auto columns = x.columns;
  const bool by_vector = columns % vector_floats == 0 && all_aligned(bias, x);
  if (!by_vector)
    return launch_each(stream, x.size(), [=] __device__(std::size_t i) {
      x.data[i] = bias_and(f, x.data[i], bias.data[i % columns]);
    });
  auto* vectors = reinterpret_cast<float4*>(x.data);
  const auto* biases = reinterpret_cast<const float4*>(bias.data);
  const auto row_vectors = columns / vector_floats;
  return launch_each(stream, x.size() / vector_floats, [=] __device__(std::size_t i) {
    float4 v = vectors[i];
    const float4 b = biases[i % row_vectors];
    v = {bias_and(f, v.x, b.x), bias_and(f, v.y, b.y), bias_and(f, v.z, b.z),
         bias_and(f, v.w, b.w)};
    vectors[i] = v;
  });
}

cudaError_t relu_backward(cudaStream_t stream, device_span<const float> activated,
                          device_span<float> gradient) {
  const auto cut = [] __device__(float y, float g) { return y == 0.0F ? 0.0F : g; };
  const auto vectors = all_aligned(activated, gradient) ? gradient.size / vector_floats : 0;
  const auto* y = reinterpret_cast<const float4*>(activated.data);
  auto* g = reinterpret_cast<float4*>(gradient.data);
  if (vectors > 0) {
    const auto launched = launch_each(stream, vectors, [=] __device__(std::size_t i) {
      const float4 a = y[i], b = g[i];
      g[i] = {cut(a.x, b.x), cut(a.y, b.y), cut(a.z, b.z), cut(a.w, b.w)};
    });
    if (launched != cudaSuccess) return launched;
  }
  const auto done = vectors * vector_floats;
  if (done == gradient.size) return cudaSuccess;
  return launch_each(stream, gradient.size - done, [=] __device__(std::size_t i) {
    gradient.data[done + i] = cut(activated.data[done + i], gradient.data[done + i]);
  });
}

cudaError_t add_scaled(cudaStream_t stream, float alpha, device_span<const float> x,
                       device_span<float> y) {
  return launch_each(stream, y.size,
                     [=] __device__(std::size_t i) { y.data[i] += alpha * x.data[i]; });
}

cudaError_t scale(cudaStream_t stream, float alpha, device_span<float> x) {
  return launch_each(stream, x.size, [=] __device__(std::size_t i) { x.data[i] *= alpha; });
}

cudaError_t fill(cudaStream_t stream, float value, device_span<float> x) {
  return launch_each(stream, x.size, [=] __device__(std::size_t i) { x.data[i] = value; });
}

cudaError_t update_momentum(cudaStream_t stream, float rate, float mu, device_span<const float> g,
                            device_span<float> w, device_span<float> v) {
  return launch_each(stream, w.size, [=] __device__(std::size_t i) {
    const float velocity = mu * v.data[i] + g.data[i];
    v.data[i] = velocity;
    w.data[i] -= rate * velocity;
  });
}

cudaError_t update_adam(cudaStream_t stream, float rate, const adam_factors& factors,
                        float mean_scale, float square_scale, device_span<const float> g,
                        device_span<float> w, device_span<float> mean, device_span<float> square) {
  return launch_each(stream, w.size, [=] __device__(std::size_t i) {
    const float gradient = g.data[i];
    const float m = factors.beta1 * mean.data[i] + (1 - factors.beta1) * gradient;
    const float s = factors.beta2 * square.data[i] + (1 - factors.beta2) * gradient * gradient;
    mean.data[i] = m;
    square.data[i] = s;
    w.data[i] -= rate * (m * mean_scale) / (sqrtf(s * square_scale) + factors.epsilon);
  });
}

} // namespace gradmesh::gpu::cuda
