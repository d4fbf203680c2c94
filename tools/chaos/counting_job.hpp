#pragma once

/// The counting job of config/chaos.ini: its model tells how often each example's update was
/// applied (see tools/lab/counting.hpp), so a lost or doubled push shows.

#include "actors/env/disk.hpp"
#include "actors/store/model_content.hpp"
#include "config/job_config.hpp"

#include <cstdint>
#include <string>

namespace gradmesh::tools::chaos {

/// A job of the name "counting".
bool is_counting(const config::job_config& job);

/// Writes the job's data, an example for each of data.features. Errors: `invalid_config` (an option
/// with which the model does not count, by name), `io_failed`.
result<void> write_counting_data(env::disk& disk, const config::job_config& job);

struct count_result {
  std::uint64_t examples = 0;
  std::uint64_t lost = 0;    // applied less often than there were epochs
  std::uint64_t doubled = 0; // more often
  double worst = 0;          // distance from the number of epochs
};
count_result count(const store::model_content& model, const config::job_config& job);

} // namespace gradmesh::tools::chaos
