#include "tools/status_format.hpp"

#include "tools/figures.hpp"
#include "tools/job_json.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gradmesh::tools {
namespace {

using json = nlohmann::ordered_json;
using row = std::vector<json>;

constexpr std::array<section_name, 7> section_names{
    "nodes", "shards", "workers", "data-servers", "coordinator", "job", "layout"};

std::string plain(const json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return to_line(value);
  std::string joined;
  for (const auto& part : value)
    joined.append(joined.empty() ? "" : "+").append(plain(part));
  return joined;
}

std::string cell_of(const json& value, show as) {
  if (!value.is_number()) return to_cell(plain(value));
  const auto number = value.get<double>();
  switch (as) {
  case show::bytes:
    return short_bytes(number, "");
  case show::seconds:
    return short_duration(number);
  case show::percent:
    return percent(number, 1);
  case show::decimal:
    return fixed(number, 4);
  case show::integer:
  case show::text:
    break;
  }
  return value.is_number_float() ? fixed(number, 0) : plain(value);
}

std::vector<std::string> section_lines(const status_section& section, bool wide) {
  if (section.rows.empty()) return {fmt::format("no {}", section.title)};
  table t;
  t.rows.resize(section.rows.size());
  for (std::size_t c = 0; c < section.columns.size(); ++c) {
    const auto& column = section.columns[c];
    if (column.wide && !wide) continue;
    t.columns.push_back({column.heading, column.as != show::text});
    for (std::size_t r = 0; r < section.rows.size(); ++r)
      t.rows[r].push_back(cell_of(section.rows[r][c], column.as));
  }
  return render(t);
}

json row_json(const status_section& section, const row& values) {
  json object = json::object();
  for (std::size_t c = 0; c < values.size(); ++c)
    object[section.columns[c].key] = values[c];
  return object;
}

bool wanted(const status_section& section, section_name only) {
  return only.empty() || only == section.title;
}

std::vector<std::string> rows_as_json(const status_report& report, const status_section& section) {
  std::vector<std::string> lines;
  for (const auto& values : section.rows) {
    json line{{"kind", section.kind}};
    line.update(section.kind == std::string_view("job") ? report.job : row_json(section, values));
    lines.push_back(to_line(line));
  }
  return lines;
}

const row* find_row(const status_section& section, const json& name) {
  const auto found = std::find_if(section.rows.begin(), section.rows.end(),
                                  [&](const row& r) { return r.front() == name; });
  return found == section.rows.end() ? nullptr : &*found;
}

bool has_news(const status_section& section, const row* before, const row& now, bool wide) {
  if (before == nullptr) return true;
  for (std::size_t c = 0; c < now.size(); ++c) {
    const auto& column = section.columns[c];
    if (!column.restless && (wide || !column.wide) && now[c] != (*before)[c]) return true;
  }
  return false;
}

} // namespace

bool is_section(section_name name) {
  return std::find(section_names.begin(), section_names.end(), name) != section_names.end();
}

std::vector<std::string> status_lines(const status_report& report, section_name only, bool wide) {
  std::vector<std::string> lines{
      fmt::format("{} answered {} ago: cluster {}, view {}, up {}", report.answered_by,
                  short_duration(report.answer_age_seconds), report.cluster, report.view_epoch,
                  short_duration(report.uptime_seconds))};
  for (const auto& section : report.sections) {
    if (!wanted(section, only)) continue;
    lines.emplace_back();
    for (auto& line : section_lines(section, wide))
      lines.push_back(std::move(line));
  }
  return lines;
}

std::string status_json(const status_report& report, section_name only) {
  json object{{"answered_by", report.answered_by},
              {"cluster", report.cluster},
              {"answer_age_seconds", report.answer_age_seconds},
              {"view_epoch", report.view_epoch},
              {"uptime_seconds", report.uptime_seconds}};
  for (const auto& section : report.sections) {
    if (!wanted(section, only)) continue;
    if (section.kind == std::string_view("job")) {
      object["job"] = report.job;
      continue;
    }
    std::string key = section.title;
    std::replace(key.begin(), key.end(), '-', '_');
    object[key] = json::array();
    for (const auto& values : section.rows)
      object[key].push_back(row_json(section, values));
  }
  return to_line(object);
}

std::vector<std::string> status_jsonl(const status_report& report, section_name only) {
  std::vector<std::string> lines;
  for (const auto& section : report.sections)
    if (wanted(section, only))
      for (auto& line : rows_as_json(report, section))
        lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string> status_csv(const status_report& report, section_name name) {
  std::vector<std::string> lines;
  for (const auto& section : report.sections) {
    if (name != section.title) continue;
    std::vector<std::string> heading;
    for (const auto& column : section.columns)
      heading.emplace_back(column.key);
    lines.push_back(csv_record(heading));
    for (const auto& values : section.rows) {
      std::vector<std::string> fields;
      for (const auto& value : values)
        fields.push_back(plain(value));
      lines.push_back(csv_record(fields));
    }
  }
  return lines;
}

std::vector<std::string> changed_rows(const status_report& before, const status_report& now,
                                      section_name only, std::string_view format,
                                      double watched_seconds) {
  const bool as_json = format == "jsonl";
  const bool wide = format != "table";
  std::vector<std::string> lines;
  for (std::size_t s = 0; s < now.sections.size(); ++s) {
    const auto& section = now.sections[s];
    const auto& old = before.sections[s];
    if (!wanted(section, only)) continue;
    const auto prefix = fmt::format("+{} {} ", short_duration(watched_seconds), section.kind);
    const auto table_rows = section_lines(section, wide); // a heading, then row by row
    const auto json_rows = rows_as_json(now, section);
    for (std::size_t r = 0; r < section.rows.size(); ++r)
      if (has_news(section, find_row(old, section.rows[r].front()), section.rows[r], wide))
        lines.push_back(as_json ? json_rows[r] : prefix + table_rows[r + 1]);
    for (const auto& values : old.rows)
      if (find_row(section, values.front()) == nullptr)
        lines.push_back(
            as_json ? to_line({{"kind", section.kind}, {"name", values.front()}, {"gone", true}})
                    : prefix + to_cell(plain(values.front())) + " gone");
  }
  return lines;
}

} // namespace gradmesh::tools
