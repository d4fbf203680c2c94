#pragma once

/// Memory for tensor bodies that is used again, so that a stream of large frames costs no page
/// faults. Thread-safe. What is kept for later is bounded; what is in use is not: that is the
/// business of credits and queues.

#include <cstddef>
#include <memory>

namespace gradmesh::mesh {

/// Bodies of at least this size come from the pool.
inline constexpr std::size_t pooled_body_bytes_min = 32u << 10;
/// Unused memory that is kept at most.
inline constexpr std::size_t pool_bytes_max = 64u << 20;

/// Uninitialised and 64-byte aligned; back in the pool with the last reference.
std::shared_ptr<void> take_pooled(std::size_t bytes);

} // namespace gradmesh::mesh
