#pragma once

/// CSV and TSV: one example a line, as many numbers in each line, one of them the label (an
/// integer). Blanks around a number are ignored, empty lines are skipped, quotes are not known.

#include "actors/error.hpp"
#include "actors/learning/data/file_rows.hpp"

#include <string>
#include <string_view>

namespace gradmesh::learning {

struct csv_options {
  char separator = ',';
  /// The first line is a heading and skipped.
  bool header = false;
  /// The column with the label: 1 = first, 2 = second, ...; -1 = last, -2 = last but one, ...
  int label_column = 1;
};

/// Errors: `malformed_data` with file and line, `invalid_argument` (no such label column),
/// `limit_exceeded`.
result<file_rows> read_csv(std::string_view text, const std::string& name,
                           const csv_options& options);

} // namespace gradmesh::learning
