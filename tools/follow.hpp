#pragma once

/// Following a submitted job to its end.

#include "tools/exit_code.hpp"
#include "tools/local_mesh.hpp"
#include "tools/mesh_client.hpp"
#include "tools/options.hpp"

#include <string>

namespace gradmesh::tools {

struct follow_options {
  std::string verb;        // for messages
  bool json = false;       // form of the summary on standard output
  std::string report_file; // the summary as JSON goes there too; empty: nowhere
};

/// --output and --report, for the verbs that follow a job.
void add_follow_options(po::options_description& options);
/// Errors: `invalid_argument` (unknown form), `io_failed` (the report could not be written).
result<follow_options> parse_follow_options(const std::string& verb,
                                            const po::variables_map& values);

/// --servers, --workers, --data-servers, --wait: what a job waits for.
void add_members_options(po::options_description& options);
/// --resume: the checkpoints that a job goes on from.
void add_resume_option(po::options_description& options);

/// Shows the job's progress on standard error and its summary on standard output. Ctrl-C cancels
/// the job. `local`: the mesh that is to be looked after meanwhile; null if it is not ours.
exit_code follow_job(mesh_client& client, std::uint64_t job_id, const follow_options& options,
                     local_mesh* local);

} // namespace gradmesh::tools
