#pragma once

/// Which update rule each table of a model has: one for all, or others for tables that the options
/// name. Rules of the same kind are one object.

#include "actors/error.hpp"
#include "actors/learning/table.hpp"
#include "actors/parameters/rule_registry.hpp"

#include <memory>
#include <span>
#include <vector>

namespace gradmesh::parameters {

/// `errc::invalid_argument` if the options give a rule to a table that there is not, with the names
/// of those that there are.
result<void> check_table_names(std::span<const learning::table_spec> tables,
                               const optimizer_options& options);

class table_rules {
public:
  /// Errors: those of `check_table_names` and of the registry, and `errc::invalid_argument` for a
  /// rule on a sparse table that does not suit it.
  static result<table_rules> make(std::span<const learning::table_spec> tables,
                                  const optimizer_options& options, const rule_registry& registry);

  /// One for each table; they live as long as this, also when it is moved.
  const std::vector<const optimizer*>& by_table() const { return by_table_; }

private:
  table_rules() = default;

  std::vector<std::unique_ptr<optimizer>> rules_;
  std::vector<const optimizer*> by_table_;
};

} // namespace gradmesh::parameters
