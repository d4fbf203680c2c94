#pragma once

/// What the coordinator has to know of its job to go on with it after its own death: a record of
/// its log. The wire form is schema::JobRecord.

#include "actors/coordinator/job_report.hpp"
#include "actors/job/job_plan.hpp"
#include "schema/job_log.capnp.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>

namespace gradmesh::coordinator {

/// Where a job begins.
struct restore_source {
  std::string folder;       // of checkpoints; empty: the job begins anew
  std::uint64_t number = 0; // 0: the newest that is whole
};

struct job_request {
  std::uint64_t id = 0;
  config::job_config config;
  std::size_t min_servers = 1;
  std::size_t min_workers = 1;
  std::size_t min_data_servers = 1;
  std::chrono::seconds wait{0};
  mesh::address client;
  restore_source from{};
};

/// Options that the job goes on with from a step on.
struct agreed_change {
  config::job_config options;
  std::uint64_t step = 0;
};

/// A JobUpdate that is kept. Copies share it; nobody changes it.
using kept_update = std::shared_ptr<capnp::MallocMessageBuilder>;

struct job_record {
  job_request request;
  /// Complete if the job has begun; otherwise nothing but its revision and the layout's number
  /// count.
  job::job_plan plan;
  schema::JobPhase phase = schema::JobPhase::WAITING;
  bool begun = false;
  schema::JobPhase resume = schema::JobPhase::TRAINING;
  std::uint32_t phase_number = 0;
  std::set<mesh::address> planned{};                       // server shards that were sent the plan
  std::map<mesh::node_uuid, std::uint64_t> incarnations{}; // of the plan's nodes that are there
  std::set<mesh::node_uuid> draining{};
  data_summary data{};
  bool change_asked = false; // and not agreed on yet
  std::optional<agreed_change> change{};
  kept_update end{}; // the last word of a job that has ended; null before
};

bool has_ended(schema::JobPhase phase);

void encode(const job_record& record, schema::JobRecord::Builder out);

/// Errors: `malformed_data` with the field that makes no sense.
result<job_record> decode(schema::JobRecord::Reader in);

} // namespace gradmesh::coordinator
