#pragma once

/// A status report in the formats of `gradmesh status -o`.

#include "tools/status_report.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::tools {

/// Which section is asked for: its title, or empty for all.
using section_name = std::string_view;

bool is_section(section_name name);

/// A line that says who answered and how old the answer is, then the tables. Sections without rows
/// are a line that says so.
std::vector<std::string> status_lines(const status_report& report, section_name only, bool wide);

/// One object: answered_by, cluster, answer_age_seconds, view_epoch, uptime_seconds, and an array
/// for each section (`data_servers`, with an underscore); the job is an object or null.
std::string status_json(const status_report& report, section_name only);

/// One object for each row, with its `kind` first.
std::vector<std::string> status_jsonl(const status_report& report, section_name only);

/// A heading and the rows of one section; lists are joined by '+', null is an empty field.
std::vector<std::string> status_csv(const status_report& report, section_name section);

/// The rows of `now` that are new or changed since `before` in a column that `format` (table, wide,
/// jsonl) shows and that is not restless, and those that are gone. Lines of a table begin with the
/// time since the watch began and the kind of the row.
std::vector<std::string> changed_rows(const status_report& before, const status_report& now,
                                      section_name only, std::string_view format,
                                      double watched_seconds);

} // namespace gradmesh::tools
