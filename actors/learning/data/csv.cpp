#include "actors/learning/data/csv.hpp"

#include "actors/learning/data/text.hpp"

#include <algorithm>

namespace gradmesh::learning {
namespace {

/// The position of the label among `columns`, from 0.
result<std::size_t> label_position_in(std::size_t columns, int label_column,
                                      const std::string& name) {
  const auto count = static_cast<std::int64_t>(columns);
  const std::int64_t position = label_column > 0 ? label_column - 1 : count + label_column;
  if (label_column == 0 || position < 0 || position >= count)
    return {errc::invalid_argument, "the label should be in column " +
                                        std::to_string(label_column) + " of " + name +
                                        " (1 is the first, -1 the last), but the file has " +
                                        std::to_string(columns) + " columns: change label_column"};
  return static_cast<std::size_t>(position);
}

/// Appends the fields of a line. An error without the position.
result<void> read_line(std::string_view line, char separator, std::size_t label_at,
                       file_rows& rows) {
  for (std::size_t column = 0;; ++column) {
    const auto end = line.find(separator);
    const std::string_view field = trim(line.substr(0, end));
    if (column == label_at) {
      const auto label = parse_label(field);
      if (!label) return label.failure();
      rows.labels.push_back(*label);
    } else {
      const auto value = parse_value(field);
      if (!value)
        return {value.failure().code,
                "column " + std::to_string(column + 1) + ": " + value.failure().text};
      rows.values.push_back(*value);
    }
    if (end == std::string_view::npos) return {};
    line.remove_prefix(end + 1);
  }
}

} // namespace

result<file_rows> read_csv(std::string_view text, const std::string& name,
                           const csv_options& options) {
  file_rows rows;
  rows.name = name;
  rows.kind = layout::dense;
  std::size_t columns = 0;
  std::size_t label_at = 0;
  line_scanner lines(text);
  if (options.header) lines.next();
  while (auto line = lines.next()) {
    if (trim(*line).empty()) continue;
    const auto found =
        static_cast<std::size_t>(std::count(line->begin(), line->end(), options.separator)) + 1;
    if (rows.size() == 0) {
      columns = found;
      if (columns < 2)
        return line_error(name, lines.number(),
                          "has one column; a label and at least one feature are needed, separated "
                          "by " +
                              std::string(options.separator == '\t' ? "tabs" : "commas"));
      const auto position = label_position_in(columns, options.label_column, name);
      if (!position) return position.failure();
      label_at = *position;
    }
    if (found != columns)
      return line_error(name, lines.number(),
                        "has " + std::to_string(found) + " columns, the lines before have " +
                            std::to_string(columns));
    if (auto read = read_line(*line, options.separator, label_at, rows); !read)
      return line_error(name, lines.number(), read.failure().text);
    rows.lines.push_back(lines.number());
    if (rows.size() > rows_max)
      return {errc::limit_exceeded, name + " has more than " + std::to_string(rows_max) + " rows"};
  }
  if (rows.size() == 0) return file_error(name, "has no examples");
  rows.index_max = static_cast<std::uint32_t>(columns - 1);
  return rows;
}

} // namespace gradmesh::learning
