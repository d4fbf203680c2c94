/// METHODS 3, update rules on the servers: their state lives with the parameters. Sparse rows are
/// updated lazily (only where a step touches them), with Adam's step count by row.

#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"
#include "tools/simulation/rule_oracle.hpp"

namespace gradmesh::tools::lab {
namespace {

result<check> compare(const rule_set& rules, const std::string& rule, float learning_rate) {
  const auto distance = distance_to_sequential(
      training(rules, {"job.deterministic=true", "job.strategy=bsp"}), rule, learning_rate, 200);
  if (!distance) return distance.failure();
  return at_most("distance-" + rule,
                 "parameters after 200 steps by 4 workers on 2 servers: relative distance from a "
                 "sequential program in float64",
                 *distance, 1e-6);
}

result<checks> only(const result<check>& one) {
  if (!one) return one.failure();
  return checks{*one};
}

} // namespace

result<checks> momentum(const rule_set& rules) {
  return only(compare(rules, "momentum", 0.1F));
}

result<checks> adam(const rule_set& rules) {
  return only(compare(rules, "adam", 0.01F));
}

result<checks> update_rules(const rule_set& rules) {
  checks found;
  for (const auto& rule : simulation::rule_names) {
    // RMSProp and AdamW divide by the size of the gradient, so that a step is as long as the rate.
    auto one = compare(rules, rule, rule == "rmsprop" || rule.starts_with("adam") ? 0.01F : 0.1F);
    if (!one) return one.failure();
    found.push_back(std::move(*one));
  }
  return found;
}

} // namespace gradmesh::tools::lab
