#pragma once

/// When a process that has died is started again. Plain code: time comes in by argument.
///
/// The first death is answered at once, because a job waits; then each within the window waits
/// twice as long as the one before. One death more than `restarts` within the window, and the
/// process is left dead (quarantine): what kills it would go on to.

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace gradmesh::tools {

class restart_policy {
public:
  using time_point = std::chrono::steady_clock::time_point;

  restart_policy(std::uint32_t restarts, std::chrono::seconds window)
      : restarts_(restarts), window_(window) {}

  /// A death at `now`: when to start the process again; nothing: never.
  std::optional<time_point> after_death(time_point now);

  std::uint32_t restarts_max() const { return restarts_; }
  std::chrono::seconds window() const { return window_; }

private:
  std::uint32_t restarts_;
  std::chrono::seconds window_;
  std::deque<time_point> deaths_; // within the window
};

inline constexpr std::chrono::milliseconds restart_wait_first{200};
inline constexpr std::chrono::milliseconds restart_wait_max{5'000};

} // namespace gradmesh::tools
