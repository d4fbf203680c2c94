#pragma once

/// The methods whose checks the lab can run: those of METHODS that exist here. Each has a file of
/// its own, with the mechanism in a few words and where its check comes from.

#include "actors/error.hpp"
#include "actors/rules.hpp"
#include "tools/lab/check.hpp"

#include <span>

namespace gradmesh::tools::lab {

struct method {
  const char* name;
  const char* what;
  /// Experiments in virtual time, with nodes that keep these rules.
  result<checks> (*run)(const rule_set& rules);
  /// The rules that, broken, make one of its checks fail.
  std::span<const rule> covers;
};

std::span<const method> all_methods();

result<checks> push_pull(const rule_set& rules);
result<checks> wait(const rule_set& rules);
result<checks> barrier(const rule_set& rules);
result<checks> bsp(const rule_set& rules);
result<checks> backup_workers(const rule_set& rules);
result<checks> async(const rule_set& rules);
result<checks> ssp(const rule_set& rules);
result<checks> bounded_delay(const rule_set& rules);
result<checks> stragglers(const rule_set& rules);
result<checks> several_servers(const rule_set& rules);
result<checks> data_servers(const rule_set& rules);
result<checks> momentum(const rule_set& rules);
result<checks> adam(const rule_set& rules);
result<checks> update_rules(const rule_set& rules);
result<checks> sgld(const rule_set& rules);
result<checks> hogwild(const rule_set& rules);
result<checks> svrg(const rule_set& rules);
result<checks> overlap(const rule_set& rules);

} // namespace gradmesh::tools::lab
