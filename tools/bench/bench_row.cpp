#include "tools/bench/bench_row.hpp"

#include "tools/figures.hpp"
#include "tools/table.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>

namespace gradmesh::tools::bench {
namespace {

using figure = std::optional<double>;

std::optional<double> ratio(const figure& ours, const figure& theirs) {
  if (!ours || !theirs || *theirs == 0) return std::nullopt;
  return *ours / *theirs;
}

/// A column of the table: the cell of a row, empty where it has none.
struct column {
  std::string heading;
  std::function<std::string(const bench_row&)> cell;
};

std::string cell_of(const figure& value, int digits) {
  return value ? fixed(*value, digits) : std::string();
}

std::string cell_of(const std::optional<unsigned>& value) {
  return value ? std::to_string(*value) : std::string();
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// 65536 as "64K": sizes are given and mostly are powers of two.
std::string short_size(std::uint64_t bytes) {
  constexpr const char* units[] = {"", "K", "M", "G"};
  std::size_t unit = 0;
  while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < std::size(units)) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + units[unit];
}

void add_reference(std::vector<column>& columns, std::size_t index, const std::string& name) {
  const auto with = [index](auto get) {
    return [index, get](const bench_row& row) {
      return index < row.references.size() ? get(row, row.references[index]) : std::string();
    };
  };
  columns.push_back({upper(name) + "_GB/S", with([](const bench_row&, const reference& r) {
                       return cell_of(r.goodput_gb_per_s, 2);
                     })});
  columns.push_back({upper(name) + "_US", with([](const bench_row&, const reference& r) {
                       return cell_of(r.rtt_us, 1);
                     })});
  columns.push_back({"RATIO", with([](const bench_row& row, const reference& r) {
                       const auto goodput = goodput_ratio(row, r);
                       return cell_of(goodput ? goodput : rtt_ratio(row, r), 2);
                     })});
}

std::vector<column> columns_of(const std::vector<bench_row>& rows) {
  std::vector<column> columns{
      {"BENCH", [](auto& r) { return r.bench; }},
      {"LANE", [](auto& r) { return r.lane; }},
      {"SERVERS", [](auto& r) { return cell_of(r.servers); }},
      {"WORKERS", [](auto& r) { return cell_of(r.workers); }},
      {"SIZE", [](auto& r) { return short_size(r.size_bytes); }},
      {"OP", [](auto& r) { return r.op; }},
      {"GB/S", [](auto& r) { return cell_of(r.goodput_gb_per_s, 2); }},
      {"MSG/S", [](auto& r) { return r.messages_per_s ? short_count(*r.messages_per_s) : ""; }},
      {"KEYS/S", [](auto& r) { return r.keys_per_s ? short_count(*r.keys_per_s) : ""; }},
      {"P50_US", [](auto& r) { return cell_of(r.p50_us, 1); }},
      {"P99_US", [](auto& r) { return cell_of(r.p99_us, 1); }},
      {"CONTROL_P99_US", [](auto& r) { return cell_of(r.control_p99_us, 1); }},
      {"CORES", [](auto& r) { return cell_of(r.cpu_cores, 2); }},
      {"WIRE", [](auto& r) { return cell_of(r.wire_bytes_per_byte, 2); }},
      {"SPREAD", [](auto& r) { return percent(r.spread, 0); }}};
  if (!rows.empty())
    for (std::size_t i = 0; i < rows.front().references.size(); ++i)
      add_reference(columns, i, rows.front().references[i].name);
  std::erase_if(columns, [&](const column& c) {
    return std::ranges::all_of(rows, [&](const bench_row& row) { return c.cell(row).empty(); });
  });
  return columns;
}

template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

nlohmann::ordered_json json_of(const bench_row& row) {
  nlohmann::ordered_json json{{"bench", row.bench},
                              {"lane", row.lane},
                              {"servers", or_null(row.servers)},
                              {"workers", or_null(row.workers)},
                              {"size_bytes", row.size_bytes},
                              {"op", row.op},
                              {"goodput_gb_per_s", or_null(row.goodput_gb_per_s)},
                              {"messages_per_s", or_null(row.messages_per_s)},
                              {"keys_per_s", or_null(row.keys_per_s)},
                              {"p50_us", or_null(row.p50_us)},
                              {"p99_us", or_null(row.p99_us)},
                              {"control_p99_us", or_null(row.control_p99_us)},
                              {"cpu_cores", or_null(row.cpu_cores)},
                              {"wire_bytes_per_byte", or_null(row.wire_bytes_per_byte)},
                              {"runs", row.runs},
                              {"spread", row.spread}};
  for (const auto& r : row.references) {
    json[r.name + "_goodput_gb_per_s"] = or_null(r.goodput_gb_per_s);
    json[r.name + "_rtt_us"] = or_null(r.rtt_us);
    json[r.name + "_goodput_ratio"] = or_null(goodput_ratio(row, r));
    json[r.name + "_rtt_ratio"] = or_null(rtt_ratio(row, r));
  }
  return json;
}

} // namespace

std::optional<double> goodput_ratio(const bench_row& row, const reference& to) {
  return ratio(row.goodput_gb_per_s, to.goodput_gb_per_s);
}

std::optional<double> rtt_ratio(const bench_row& row, const reference& to) {
  return ratio(row.p50_us, to.rtt_us);
}

std::string to_table(const std::vector<bench_row>& rows) {
  const auto columns = columns_of(rows);
  table shown;
  for (const auto& c : columns) {
    const bool is_text = c.heading == "BENCH" || c.heading == "LANE" || c.heading == "OP";
    shown.columns.push_back({c.heading, !is_text});
  }
  for (const auto& row : rows) {
    auto& cells = shown.rows.emplace_back();
    for (const auto& c : columns)
      cells.push_back(c.cell(row));
  }
  return join_lines(render(shown));
}

std::string to_json(const std::vector<bench_row>& rows) {
  std::string text = "[";
  for (const auto& row : rows)
    text += (text.size() > 1 ? ",\n " : "") + json_of(row).dump();
  return text + "]\n";
}

} // namespace gradmesh::tools::bench
