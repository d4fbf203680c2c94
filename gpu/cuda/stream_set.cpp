#include "gpu/cuda/stream_set.hpp"

#include "gpu/cuda/cuda_fault.hpp"

#include <algorithm>

namespace gradmesh::gpu::cuda {

stream_set::~stream_set() {
  for (auto& queue : queues_) {
    for (auto& event : queue.events)
      if (event) (void)cudaEventDestroy(event);
    if (queue.owned) (void)cudaStreamDestroy(queue.stream);
  }
}

fault stream_set::open(bool overlap) {
  for (auto& queue : queues_) {
    if (overlap || &queue == &queues_.front()) {
      if (auto why = GRADMESH_CUDA(cudaStreamCreateWithFlags(&queue.stream, cudaStreamNonBlocking)))
        return why;
      queue.owned = true;
    } else {
      queue.stream = queues_.front().stream;
    }
    for (auto& event : queue.events)
      if (auto why = GRADMESH_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming)))
        return why;
  }
  return {};
}

fault stream_set::mark(lane where) {
  auto& queue = queues_[index(where)];
  const auto number = ++queue.enqueued;
  return GRADMESH_CUDA(cudaEventRecord(queue.events[number % events_kept], queue.stream));
}

fault stream_set::await(lane where, lane other, ticket until) {
  const auto& awaited = queues_[index(other)];
  const auto oldest = awaited.enqueued < events_kept ? 1 : awaited.enqueued - events_kept + 1;
  const auto number = std::max<ticket>(until, oldest);
  return GRADMESH_CUDA(cudaStreamWaitEvent(of(where), awaited.events[number % events_kept], 0));
}

fault stream_set::await_all(lane where) {
  for (std::size_t i = 0; i < lanes; ++i)
    if (i != index(where) && queues_[i].enqueued > 0)
      if (auto why = await(where, static_cast<lane>(i), queues_[i].enqueued)) return why;
  return {};
}

fault stream_set::synchronize() {
  for (const auto& queue : queues_)
    if (auto why = GRADMESH_CUDA(cudaStreamSynchronize(queue.stream))) return why;
  return {};
}

cudaError_t stream_set::query() const {
  bool busy = false;
  for (const auto& queue : queues_) {
    const auto state = cudaStreamQuery(queue.stream);
    if (state == cudaErrorNotReady)
      busy = true;
    else if (state != cudaSuccess)
      return state;
  }
  return busy ? cudaErrorNotReady : cudaSuccess;
}

} // namespace gradmesh::gpu::cuda
