#include "tools/chaos/recovery.hpp"

namespace gradmesh::tools::chaos {

void recovery::take(const std::vector<worker_report>& reports) {
  for (const auto& report : reports) {
    if (seen_ || report.made <= fault_) continue;
    const auto [found, is_first] =
        first_.try_emplace(report.worker, baseline{report.incarnation, report.steps});
    auto& first = found->second;
    // A restarted worker and a new phase count from the beginning.
    if (report.incarnation != first.incarnation || report.steps < first.steps)
      first = {report.incarnation, report.steps};
    if (!is_first && report.steps > first.steps + steps_ahead) seen_ = report.made;
  }
}

} // namespace gradmesh::tools::chaos
