#include "tools/restart_policy.hpp"

#include <algorithm>

namespace gradmesh::tools {

std::optional<restart_policy::time_point> restart_policy::after_death(time_point now) {
  while (!deaths_.empty() && now - deaths_.front() > window_)
    deaths_.pop_front();
  deaths_.push_back(now);
  if (deaths_.size() > restarts_) return std::nullopt;
  if (deaths_.size() == 1) return now;
  auto wait = restart_wait_first;
  for (std::size_t i = 2; i < deaths_.size() && wait < restart_wait_max; ++i)
    wait *= 2;
  return now + std::min(wait, restart_wait_max);
}

} // namespace gradmesh::tools
