#pragma once

/// The most that the sections [emulation] of node and job files accept.

#include <cstdint>

namespace gradmesh::config {

/// A node that is delayed for longer than the heartbeats allow is given up by its coordinator.
inline constexpr std::uint64_t link_delay_ms_max = 5'000;
inline constexpr std::uint64_t step_time_ms_max = 600'000;
inline constexpr double slowdown_max = 1000;
inline constexpr std::uint32_t pushes_ahead_max = 65'536;

} // namespace gradmesh::config
