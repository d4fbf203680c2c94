#pragma once

/// A stream for each lane, and events that let one await another. A lane keeps an event for each of
/// its latest operations; who awaits an older one awaits the oldest of those, which is later.

#include "gpu/fault.hpp"
#include "gpu/lane_order.hpp"

#include <cuda_runtime_api.h>

#include <array>

namespace gradmesh::gpu::cuda {

class stream_set {
public:
  stream_set() = default;
  stream_set(const stream_set&) = delete;
  stream_set& operator=(const stream_set&) = delete;
  ~stream_set();

  /// Without `overlap` all lanes are one stream.
  fault open(bool overlap);
  cudaStream_t of(lane l) const { return queues_[index(l)].stream; }

  /// An operation was enqueued in this lane.
  fault mark(lane where);
  fault await(lane where, lane other, ticket until);
  /// What comes next in `where` awaits all that was enqueued anywhere.
  fault await_all(lane where);
  fault synchronize();
  /// Success, cudaErrorNotReady, or what went wrong.
  cudaError_t query() const;

private:
  static constexpr std::size_t events_kept = 64;

  struct queue {
    cudaStream_t stream = nullptr;
    bool owned = false; // or another lane's
    std::array<cudaEvent_t, events_kept> events{};
    ticket enqueued = 0;
  };

  static std::size_t index(lane l) { return static_cast<std::size_t>(l); }

  std::array<queue, lanes> queues_;
};

} // namespace gradmesh::gpu::cuda
