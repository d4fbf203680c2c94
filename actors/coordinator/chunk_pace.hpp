#pragma once

/// How fast the chunks of a checkpoint may come: so slowly that training hardly notices. All that a
/// checkpoint costs (pushes that wait for its cut, copies, checksums, writing) grows with its
/// bytes, so a checkpoint that takes its time costs a bounded share of it. Small ones go at once.
/// Plain code; time comes in by argument.

#include "actors/env/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace gradmesh::coordinator {

class chunk_pace {
public:
  /// 0: as fast as they come.
  explicit chunk_pace(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  /// What may come at once after a pause.
  static constexpr std::chrono::milliseconds credit{100};

  /// Whether the next may come now.
  bool allows(env::time_point now) const { return next_at_ <= now; }

  /// One came.
  void count(std::uint64_t bytes, env::time_point now) {
    if (bytes_per_second_ == 0) return;
    const std::chrono::duration<double> takes(static_cast<double>(bytes) /
                                              static_cast<double>(bytes_per_second_));
    next_at_ = std::max(next_at_, now - credit) +
               std::chrono::duration_cast<env::time_point::duration>(takes);
  }

private:
  const std::uint64_t bytes_per_second_;
  env::time_point next_at_ = env::time_point::min();
};

} // namespace gradmesh::coordinator
