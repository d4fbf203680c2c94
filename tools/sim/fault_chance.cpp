#include "tools/sim/fault_chance.hpp"

#include <algorithm>

namespace gradmesh::tools::sim {

using std::chrono::milliseconds;

bool fault_chance::may(fault_kind kind) const {
  return std::ranges::find(kinds_, kind) != kinds_.end();
}

std::optional<fault_kind> fault_chance::death() {
  std::vector<fault_kind> kinds;
  for (const auto kind : {fault_kind::crash, fault_kind::power})
    if (may(kind)) kinds.push_back(kind);
  if (kinds.empty()) return std::nullopt;
  return kinds[random_.below(kinds.size())];
}

void repeat_copies(seed_plan& plan, fault_chance& chance) {
  if (!chance.may(fault_kind::repeat) || !chance.once_in(3)) return;
  plan.wire.repeat_one_in = repeat_one_in;
  plan.wire.repeats_copies = true;
}

fault draw_fault(fault_kind kind, std::size_t hosts, env::random_stream& chance) {
  const auto between = [&](std::uint64_t least, std::uint64_t most) {
    return milliseconds(least + chance.below(most - least + 1));
  };
  fault f{.kind = kind};
  // Two different machines.
  f.a = chance.below(hosts);
  f.b = (f.a + 1 + chance.below(hosts - 1)) % hosts;
  f.at = milliseconds(chance.below(250));
  switch (kind) {
  case fault_kind::crash:
  case fault_kind::power:
    f.lasts = between(20, 500);
    break;
  case fault_kind::hang:
  case fault_kind::partition:
  case fault_kind::one_way:
    // Half of them end before anybody gives up the other.
    f.lasts = chance.below(2) == 0 ? between(5, 400) : between(1000, 2000);
    break;
  case fault_kind::delay:
  case fault_kind::disk_full:
  case fault_kind::sync:
    f.lasts = between(10, 200);
    break;
  case fault_kind::link:
  case fault_kind::repeat:
  case fault_kind::flip:
    break;
  }
  return f;
}

} // namespace gradmesh::tools::sim
