#pragma once

/// The faults of a job that only show when its options are compared with each other.

#include "config/config_table.hpp"
#include "config/job_config.hpp"

#include <vector>

namespace gradmesh::config {

/// For a job whose options are valid one by one. Empty when the job makes sense.
std::vector<finding> check_job(const job_config& c);

} // namespace gradmesh::config
