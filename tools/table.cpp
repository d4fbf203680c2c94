#include "tools/table.hpp"

#include "config/diagnostic.hpp"
#include "tools/terminal.hpp"

#include <algorithm>

namespace gradmesh::tools {
namespace {

constexpr std::size_t gap = 2; // blanks between columns

std::string line_of(const table& t, const std::vector<std::string>& cells,
                    const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    const std::string padding(widths[c] - display_width(cells[c]), ' ');
    line += t.columns[c].right ? padding + cells[c] : cells[c] + padding;
    line.append(gap, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

} // namespace

std::string to_cell(std::string_view text) {
  if (text.empty()) return "-";
  auto cell = config::printable(text);
  std::replace(cell.begin(), cell.end(), ' ', '_');
  return cell;
}

std::vector<std::string> render(const table& t) {
  std::vector<std::vector<std::string>> all(1);
  for (const auto& column : t.columns)
    all.front().push_back(column.heading);
  for (const auto& row : t.rows) {
    auto& cells = all.emplace_back();
    for (const auto& text : row)
      cells.push_back(to_cell(text));
  }
  std::vector<std::size_t> widths(t.columns.size(), 0);
  for (const auto& cells : all)
    for (std::size_t c = 0; c < cells.size(); ++c)
      widths[c] = std::max(widths[c], display_width(cells[c]));
  std::vector<std::string> lines;
  for (const auto& cells : all)
    lines.push_back(line_of(t, cells, widths));
  return lines;
}

std::string csv_record(const std::vector<std::string>& fields) {
  std::string record;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) record += ',';
    if (fields[i].find_first_of(",\"\r\n") == std::string::npos) {
      record += fields[i];
      continue;
    }
    record += '"';
    for (const char c : fields[i]) {
      if (c == '"') record += '"';
      record += c;
    }
    record += '"';
  }
  return record;
}

std::string join_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines)
    text += line + '\n';
  return text;
}

} // namespace gradmesh::tools
