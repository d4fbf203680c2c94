#include "tools/job_view.hpp"

#include "tools/job_view_lines.hpp"
#include "tools/job_view_terminal.hpp"
#include "tools/terminal.hpp"

namespace gradmesh::tools {

std::unique_ptr<job_view> make_job_view(std::FILE* out) {
  if (terminal_of(out).interactive) return std::make_unique<job_view_terminal>(out);
  return std::make_unique<job_view_lines>(out);
}

} // namespace gradmesh::tools
