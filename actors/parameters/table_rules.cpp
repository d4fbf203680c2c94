#include "actors/parameters/table_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gradmesh::parameters {

result<void> check_table_names(std::span<const learning::table_spec> tables,
                               const optimizer_options& options) {
  for (const auto& wanted : options.tables) {
    if (std::ranges::find(tables, wanted.table, &learning::table_spec::name) != tables.end())
      continue;
    std::string names;
    for (const auto& table : tables)
      names.append(names.empty() ? "" : ", ").append(table.name);
    return {errc::invalid_argument,
            fmt::format("optimizer.tables gives '{}' the rule {}, but the model has no such table; "
                        "it has {}",
                        wanted.table, wanted.rule, names)};
  }
  return {};
}

result<table_rules> table_rules::make(std::span<const learning::table_spec> tables,
                                      const optimizer_options& options,
                                      const rule_registry& registry) {
  if (auto ok = check_table_names(tables, options); !ok) return ok.failure();
  table_rules made;
  std::map<std::string, const optimizer*> by_kind;
  for (const auto& table : tables) {
    auto wanted = options;
    const auto own = std::ranges::find(options.tables, table.name, &table_rule::table);
    if (own != options.tables.end()) wanted.kind = own->rule;
    auto& rule = by_kind[wanted.kind];
    if (!rule) {
      auto fresh = registry.make(wanted);
      if (!fresh) return fresh.failure();
      rule = made.rules_.emplace_back(*std::move(fresh)).get();
    }
    if (table.kind == learning::table_kind::sparse && !rule->suits_sparse_rows())
      return {
          errc::invalid_argument,
          fmt::format("the update rule {} is for dense tables, but '{}' is sparse: only some of "
                      "its rows are updated in a step; give it another rule with "
                      "optimizer.tables, or train on dense data",
                      wanted.kind, table.name)};
    made.by_table_.push_back(rule);
  }
  return made;
}

} // namespace gradmesh::parameters
