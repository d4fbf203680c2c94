#pragma once

/// A Status message as rows that every output format is made from.

#include "schema/cluster.capnp.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace gradmesh::tools {

/// How the values of a column look in a table; in JSON and CSV they are as they are.
enum class show { text, integer, bytes, seconds, percent, decimal };

struct status_column {
  const char* heading;
  const char* key; // in JSON and CSV; carries the unit
  show as = show::text;
  bool wide = false; // shown by `-o wide` only
  /// Changes all the time, which is no news.
  bool restless = false;
};

struct status_section {
  const char* kind;  // "node": of a row, in `-o jsonl`
  const char* title; // "nodes": of the table, as the user names it
  std::vector<status_column> columns;
  /// As many values in each as there are columns; null is unknown. Column 0 is the row's name and
  /// unique in the section.
  std::vector<std::vector<nlohmann::ordered_json>> rows;
};

struct status_report {
  std::string answered_by; // HOST:PORT
  std::string cluster;
  double answer_age_seconds = 0;
  std::uint64_t view_epoch = 0;
  double uptime_seconds = 0; // of the coordinator
  /// nodes, shards, workers, data-servers, coordinator, job, layout
  std::vector<status_section> sections;
  /// As `job_json` makes it.
  nlohmann::ordered_json job;
};

/// Who answered, and how long ago at most.
struct status_answer {
  std::string from;
  std::string cluster;
  double age_seconds = 0;
};

/// Throws kj::Exception for a message that does not decode.
status_report make_status_report(schema::Status::Reader status, const status_answer& answer);

} // namespace gradmesh::tools
