#include "actors/parameters/body_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace gradmesh::parameters {

namespace {

result<void> check_table(const learning::table_spec& table) {
  if (table.name.empty() || table.name.size() > table_name_bytes_max)
    return {errc::invalid_argument, fmt::format("the name of a table has {} bytes; use 1 to {}",
                                                table.name.size(), table_name_bytes_max)};
  // A message's text would end there, and two names could be one.
  if (table.name.find('\0') != std::string::npos)
    return {
        errc::invalid_argument,
        fmt::format("the name of table '{}' has a 0 byte behind it; use text", table.name.c_str())};
  const auto width_max =
      table.kind == learning::table_kind::dense ? dense_floats_max : row_floats_max;
  if (table.width == 0 || table.width > width_max)
    return {errc::invalid_argument, fmt::format("table '{}' has a width of {} floats; use 1 to {}",
                                                table.name, table.width, width_max)};
  if (!std::isfinite(table.init_limit) || table.init_limit < 0)
    return {errc::invalid_argument,
            fmt::format("table '{}' has initial values up to {}; use a finite number from 0",
                        table.name, table.init_limit)};
  return {};
}

} // namespace

result<void> check_tables(std::span<const learning::table_spec> tables) {
  if (tables.size() > tables_max)
    return {errc::invalid_argument,
            fmt::format("a model of {} tables; use at most {}", tables.size(), tables_max)};
  std::vector<std::string_view> names;
  std::uint64_t dense_floats = 0;
  for (const auto& table : tables) {
    if (auto ok = check_table(table); !ok) return ok;
    names.push_back(table.name);
    if (table.kind == learning::table_kind::dense) dense_floats += table.width;
  }
  if (dense_floats > dense_floats_max)
    return {errc::invalid_argument, fmt::format("the dense tables have {} floats; use at most {}",
                                                dense_floats, dense_floats_max)};
  std::sort(names.begin(), names.end());
  if (auto twin = std::adjacent_find(names.begin(), names.end()); twin != names.end())
    return {errc::invalid_argument,
            fmt::format("two tables are named '{}'; give each table its own name", *twin)};
  return {};
}

body_layout::body_layout(std::span<const learning::table_spec> tables) {
  for (const auto& table : tables) {
    if (table.kind != learning::table_kind::sparse) continue;
    row_widths_.push_back(static_cast<std::size_t>(table.width));
    floats_per_key_ += static_cast<std::size_t>(table.width);
  }
}

} // namespace gradmesh::parameters
