#include "actors/rules.hpp"

#include <algorithm>

namespace gradmesh {
namespace {

constexpr rule_description descriptions[] = {
    {rule::step_complete, "step-complete",
     "bsp: a step is applied when one push that it needs is still missing"},
    {rule::read_waits, "read-waits", "bsp: parameters are read one step too early"},
    {rule::rank_order, "rank-order", "bsp: a step's sum goes from the last rank to the first"},
    {rule::late_dropped, "late-dropped",
     "bsp with backup workers: a push for a step that is over is applied all the same"},
    {rule::staleness_bound, "staleness-bound",
     "ssp: parameters are read when one worker is a clock too far behind"},
    {rule::read_my_writes, "read-my-writes",
     "ssp: a worker may read before its own last push is applied"},
    {rule::delay_bound, "delay-bound", "bounded-delay: a task starts one task too early"},
    {rule::push_once, "push-once", "a part of a push that comes again is applied again"},
    {rule::snapshot_added, "snapshot-added",
     "svrg: a step is applied without the gradient of the snapshot"},
};

} // namespace

std::span<const rule_description> all_rules() {
  return descriptions;
}

std::string_view to_string(rule r) {
  return descriptions[static_cast<std::size_t>(r)].name;
}

std::optional<rule> rule_named(std::string_view name) {
  const auto* found =
      std::ranges::find(descriptions, name, [](const rule_description& d) { return d.name; });
  return found == std::end(descriptions) ? std::nullopt : std::optional(found->id);
}

} // namespace gradmesh
