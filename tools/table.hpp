#pragma once

/// Text tables and CSV. Cells of a table hold no blanks, so that `awk` and `cut` can read one; the
/// widths are those of the content.

#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::tools {

struct table {
  struct column {
    std::string heading;
    bool right = false; // numbers
  };

  std::vector<column> columns;
  /// As many cells in each as there are columns.
  std::vector<std::vector<std::string>> rows;
};

/// Text as a cell: blanks become '_', an empty text "-", control characters \xNN.
std::string to_cell(std::string_view text);

/// A line for the headings and one for each row, without blanks at their ends. Cells are shown as
/// `to_cell` makes them.
std::vector<std::string> render(const table& t);

/// A CSV record (RFC 4180) without its line end.
std::string csv_record(const std::vector<std::string>& fields);

/// Each line with its line end.
std::string join_lines(const std::vector<std::string>& lines);

} // namespace gradmesh::tools
