/// METHODS 3, update rules on the servers: their state lives with the parameters. Sparse rows are
/// updated lazily (only where a step touches them), with Adam's step count by row.

#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

namespace gradmesh::tools::lab {
namespace {

result<checks> compare(const rule_set& rules, const std::string& rule, float learning_rate) {
  const auto distance = distance_to_sequential(
      training(rules, {"job.deterministic=true", "job.strategy=bsp"}), rule, learning_rate, 200);
  if (!distance) return distance.failure();
  return checks{at_most("distance",
                        "parameters after 200 steps by 4 workers on 2 servers: relative distance "
                        "from a sequential program in float64",
                        *distance, 1e-6)};
}

} // namespace

result<checks> momentum(const rule_set& rules) {
  return compare(rules, "momentum", 0.1F);
}

result<checks> adam(const rule_set& rules) {
  return compare(rules, "adam", 0.01F);
}

} // namespace gradmesh::tools::lab
