#pragma once

/// Does a recorded job again: every worker's steps on the values that the worker read, every
/// shard's updates in the order in which the shard applied them. What comes out has the bits of the
/// run, whatever its strategy.
///
/// It needs the job's data, and a processor whose arithmetic is the same. Each gradient is compared
/// with what the log knows of it, so the first that differs is named.
///
/// Limits: one thread. Memory: that of all shards and workers, and the logs.

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/parameters/rule_registry.hpp"
#include "actors/record/verify.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace gradmesh::replay {

struct replayed {
  std::string parameters_sha256; // as in the run's report
  std::uint64_t pushes = 0;
  std::uint64_t workers = 0;
  std::uint64_t shards = 0;
};

/// Told how many of the job's pushes are done.
using progress_handler = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// `train`: the training set of the job; `update_rules`: those of an application, if the job used
/// one of them. Errors: those of `record::verify`; `refused` if the logs are not enough (the job
/// did not come to its end, a rule was off) or `train` is not the set that it was trained on;
/// `malformed_data` with the place in the log where something else came out.
result<replayed> replay(std::span<const record::named_log> logs, const learning::dataset& train,
                        const progress_handler& on_progress,
                        const parameters::rule_registry& update_rules = {});

} // namespace gradmesh::replay
