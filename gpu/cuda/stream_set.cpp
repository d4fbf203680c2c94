#include "gpu/cuda/stream_set.hpp"

#include "gpu/cuda/cuda_fault.hpp"

#include <algorithm>

namespace gradmesh::gpu::cuda {

stream_set::~stream_set() {
  for (auto& work : queues_) {
    for (auto& event : work.events)
      if (event) (void)cudaEventDestroy(event);
    if (work.owned) (void)cudaStreamDestroy(work.stream);
  }
}

fault stream_set::open(bool overlap) {
  for (auto& work : queues_) {
    if (overlap || &work == &queues_.front()) {
      if (auto why = GRADMESH_CUDA(cudaStreamCreateWithFlags(&work.stream, cudaStreamNonBlocking)))
        return why;
      work.owned = true;
    } else {
      work.stream = queues_.front().stream;
    }
    for (auto& event : work.events)
      if (auto why = GRADMESH_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming)))
        return why;
  }
  return {};
}

fault stream_set::mark(lane where) {
  auto& work = queues_[index(where)];
  const auto number = ++work.enqueued;
  return GRADMESH_CUDA(cudaEventRecord(work.events[number % events_kept], work.stream));
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
  for (const auto& work : queues_)
    if (auto why = GRADMESH_CUDA(cudaStreamSynchronize(work.stream))) return why;
  return {};
}

cudaError_t stream_set::query() const {
  bool busy = false;
  for (const auto& work : queues_) {
    const auto state = cudaStreamQuery(work.stream);
    if (state == cudaErrorNotReady)
      busy = true;
    else if (state != cudaSuccess)
      return state;
  }
  return busy ? cudaErrorNotReady : cudaSuccess;
}

} // namespace gradmesh::gpu::cuda
