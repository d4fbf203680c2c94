#pragma once

/// INTERNAL to tools: the view of a job that is redrawn in place: phase, bar with rate and ETA,
/// loss curve, staleness, and a line for each worker.

#include "tools/job_view.hpp"
#include "tools/terminal.hpp"

#include <vector>

namespace gradmesh::tools {

class job_view_terminal final : public job_view {
public:
  explicit job_view_terminal(std::FILE* out) : out_(out), block_(out) {}

  void update(schema::JobUpdate::Reader update) override;
  void note(const std::string& line) override { block_.print_above(line); }
  /// The last picture stays; the cursor is below it.
  void close() override { block_.leave(); }

private:
  std::FILE* out_;
  redrawn_block block_;
};

/// What is drawn.
std::vector<std::string> job_lines(schema::JobUpdate::Reader update, const terminal& where);

} // namespace gradmesh::tools
