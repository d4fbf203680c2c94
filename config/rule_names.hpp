#pragma once

/// How update rules are named in job files: a built-in one by its name, one that the application of
/// the servers brings as OWNER/NAME. Only the servers know the latter, so only the slash is looked
/// for here, and a misspelt built-in name is found before a job runs.

#include "config/value_types.hpp"

#include <string>
#include <vector>

namespace gradmesh::config {

/// An update rule of one table.
struct table_rule {
  std::string table;
  std::string rule;

  bool operator==(const table_rule&) const = default;
};

/// "sgd, momentum, ...": the built-in rules.
const std::vector<std::string>& built_in_rules();

value_type<std::string> rule_name();

/// A comma list of TABLE:RULE, each table at most once.
value_type<std::vector<table_rule>> table_rule_list();

} // namespace gradmesh::config
