#pragma once

/// INTERNAL to tools: the view of a job for pipes and logs. A line for each phase, for each new
/// text while members are waited for or data is read, and for each tenth of the training.

#include "tools/job_view.hpp"

#include <optional>

namespace gradmesh::tools {

class job_view_lines final : public job_view {
public:
  explicit job_view_lines(std::FILE* out) : out_(out) {}

  void update(schema::JobUpdate::Reader update) override;
  void note(const std::string& line) override { print(line); }
  void close() override {}

private:
  void print(const std::string& line);

  std::FILE* out_;
  std::optional<schema::JobPhase> phase_;
  std::string text_;
  int tenths_ = 0; // of the training that were printed
};

} // namespace gradmesh::tools
