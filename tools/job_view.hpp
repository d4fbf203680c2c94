#pragma once

/// Shows a job to the person who waits for it: a view redrawn in place on a terminal, a line at
/// each tenth of the way otherwise, and the summary at the end.

#include "actors/mesh/message.hpp"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace gradmesh::tools {

class job_view {
public:
  virtual ~job_view() = default;
  virtual void update(schema::JobUpdate::Reader update) = 0;
  /// Something that happened, in a line.
  virtual void note(const std::string& line) = 0;
  /// Leaves the terminal as it should be for whatever is printed next.
  virtual void close() = 0;
};

/// A redrawn view if the stream is a terminal, lines otherwise.
std::unique_ptr<job_view> make_job_view(std::FILE* out);

/// The summary of an ended job, for people. `restarts`: of processes of a local mesh.
std::string summary_text(schema::JobUpdate::Reader update, std::uint32_t restarts = 0);
/// The same as a JSON object on one line, with every figure.
std::string summary_json(schema::JobUpdate::Reader update, std::uint32_t restarts = 0);

} // namespace gradmesh::tools
