#pragma once

/// What the lab found, for people and for machines.

#include "tools/lab/methods.hpp"

#include <string>
#include <vector>

namespace gradmesh::tools::lab {

struct method_report {
  const method* of = nullptr;
  checks found;
  error failure; // why the experiments could not be done
  double seconds = 0;

  bool passed() const;
};

/// Runs a method's experiments.
method_report examine(const method& m, const rule_set& rules);

/// A row for each check.
std::string to_table(const std::vector<method_report>& reports);
/// An array with an object for each method.
std::string to_json(const std::vector<method_report>& reports);
/// Each check that failed, in a sentence; empty if none has.
std::string failures_text(const std::vector<method_report>& reports);

} // namespace gradmesh::tools::lab
