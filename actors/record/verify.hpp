#pragma once

/// Checks the clock logs of all shards of a job.
///
/// Failure: the first log that cannot be read (`malformed_data`), or the first violation
/// (`refused`), with file, block, byte, worker, shard and clock. A log stays with the server that
/// began it. So where a shard got another primary, nobody knows what that one did: if nothing else
/// is wrong, this is what `verify` refuses, and says where the record ends.

#include "actors/error.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/record/checker.hpp"
#include "actors/record/log_reader.hpp"

#include <span>
#include <string>
#include <vector>

namespace gradmesh::record {

/// A plan that cuts a step into more is none of ours.
inline constexpr std::uint32_t pieces_max = 1u << 20;

/// A log's name, for messages, and its bytes, which outlive the calls below.
struct named_log {
  std::string file;
  std::string_view bytes;
};

/// Errors: `malformed_data`.
result<job::job_plan> decode_plan(const plan_record& plan);

/// A log whose first plan has been read.
struct opened_log {
  log_reader rest;
  plan_record plan;
  job::job_plan job;
};
/// The logs in the order of their shards. Errors: also `refused` if they are not those of all
/// shards of one job.
result<std::vector<opened_log>> open_logs(std::span<const named_log> logs);

struct verification {
  std::string job;                    // its name
  std::string contract;               // "bsp", or "bsp, then async" for a job that was changed
  std::vector<std::string> rules_off; // what the shards say of themselves
  std::size_t workers = 0;
  std::vector<shard_findings> shards;
};
result<verification> verify(std::span<const named_log> logs);

/// One log by itself. Errors: as those of `verify`.
result<shard_findings> verify_shard(const named_log& log);

} // namespace gradmesh::record
