#include "tools/sim/aimed_faults.hpp"

#include <algorithm>

namespace gradmesh::tools::sim {
namespace {

using std::chrono::milliseconds;

constexpr simulation::host_id coordinator_host = 0;

/// Two servers that may be a shard's primary and its backup.
struct pair_of_servers {
  simulation::host_id one = 0;
  simulation::host_id other = 0;
};

simulation::host_id host_named(const seed_plan& plan, const std::string& name) {
  return static_cast<simulation::host_id>(std::ranges::find(plan.names, name) - plan.names.begin());
}

pair_of_servers draw_servers(const seed_plan& plan, fault_chance& chance) {
  const auto first = chance.between(0, plan.servers - 1);
  const auto second = (first + 1 + chance.between(0, plan.servers - 2)) % plan.servers;
  return {host_named(plan, "server-" + std::to_string(first)),
          host_named(plan, "server-" + std::to_string(second))};
}

class aimer {
public:
  aimer(seed_plan& plan, fault_chance& chance)
      : plan_(plan), chance_(chance), servers_(draw_servers(plan, chance)),
        at_(chance.ms_between(20, 250)) {}

  /// A primary that cannot reach its backup dies.
  void unreachable_backup() {
    add(fault_kind::link, at_, {}, servers_.one, servers_.other);
    die(servers_.one, at_ + chance_.ms_between(0, 15));
  }

  /// A server comes back, and the one that brings it up to date dies.
  void death_of_the_copied() {
    const auto away = chance_.ms_between(20, 150);
    const auto back = at_ + away;
    if (!die(servers_.one, at_, away)) return;
    slow_pair(back);
    const auto second = back + chance_.ms_between(0, 400);
    die(servers_.other, second);
    // Then a new generation begins from what the copy says of itself.
    if (chance_.once_in(2)) die(any_of_work(), second + chance_.ms_between(30, 400));
  }

  /// A backup learns of a layout later than its primary does, and has to take the primary's place.
  /// Of three servers: a job that begins has the backup of each on the next.
  void late_layout() {
    const auto next = [&](simulation::host_id server) { return server % plan_.servers + 1; };
    const auto backup = next(servers_.one);
    const auto at = chance_.ms_between(20, 120);
    add(fault_kind::delay, at - milliseconds(5), milliseconds(150), coordinator_host, backup);
    // What the primary sends again meanwhile comes one by one, before the layout and behind it.
    add(fault_kind::delay, at - milliseconds(5), milliseconds(150), servers_.one, backup);
    if (die(next(backup), at, chance_.ms_between(20, 60)))
      die(servers_.one, at + chance_.ms_between(50, 350));
  }

  /// A new generation begins, and a server that it begins from dies before its backup has all that
  /// it could tell of.
  void death_while_regrouping() {
    const auto kind = die(any_of_work(), at_);
    if (!kind) return;
    // Who closed its link has a heartbeat to come back; who says nothing is missed later.
    const auto begins = at_ + (*kind == fault_kind::power ? node_timeout - heartbeat : heartbeat) +
                        chance_.ms_between(0, 50);
    // By then a backup that can be reached has everything, because the others wait, too.
    const auto apart = at_ - chance_.ms_between(0, 10);
    add(fault_kind::partition, apart, begins + chance_.ms_between(50, 300) - apart, servers_.one,
        servers_.other);
    die(servers_.one, begins + chance_.ms_between(0, 100));
  }

  /// A backup is parted from its primary, named again, and then one of the two dies.
  void death_after_parting() {
    if (!chance_.may(fault_kind::partition)) return;
    const auto apart = chance_.ms_between(1550, 2200);
    add(fault_kind::partition, at_, apart, servers_.one, servers_.other);
    slow_pair(at_ + apart);
    die(servers_.one, at_ + apart + chance_.ms_between(0, 400));
  }

  /// A server that hung is given up, comes back as new, and another one dies.
  void death_after_hang() {
    if (!chance_.may(fault_kind::hang)) return;
    const auto hangs = chance_.ms_between(1000, 2000);
    add(fault_kind::hang, at_, hangs, servers_.one, servers_.other);
    die(servers_.other, at_ + hangs + chance_.ms_between(0, 400));
  }

private:
  void add(fault_kind kind, milliseconds at, milliseconds lasts, simulation::host_id a,
           simulation::host_id b = 0) {
    if (!chance_.may(kind)) return;
    plan_.faults.push_back({.kind = kind, .at = at, .lasts = lasts, .a = a, .b = b});
  }
  /// A worker or a data server.
  simulation::host_id any_of_work() {
    const bool worker = chance_.once_in(2);
    const auto count = worker ? plan_.workers : plan_.data_servers;
    return host_named(plan_, (worker ? "worker-" : "data-server-") +
                                 std::to_string(chance_.between(0, count - 1)));
  }
  /// The kind of its death, if it may die.
  std::optional<fault_kind> die(simulation::host_id who, milliseconds at) {
    return die(who, at, chance_.ms_between(20, 500));
  }
  std::optional<fault_kind> die(simulation::host_id who, milliseconds at, milliseconds away) {
    const auto kind = chance_.death();
    if (kind) add(*kind, at, away, who);
    return kind;
  }
  /// So that what is between the two takes as long as other things.
  void slow_pair(milliseconds at) {
    if (chance_.once_in(2))
      add(fault_kind::delay, at, milliseconds(400), servers_.one, servers_.other);
  }

  seed_plan& plan_;
  fault_chance& chance_;
  const pair_of_servers servers_;
  const milliseconds at_;
};

} // namespace

void plan_aimed(seed_plan& plan, const mesh_sizes& sizes, fault_chance& chance) {
  if (plan.servers < 2 && !sizes.servers) plan.servers = chance.between(2, 3);
  plan.length.epochs = static_cast<std::uint32_t>(chance.between(2, 3));
  plan.length.pace = static_cast<std::uint32_t>(chance.between(1, 3));
}

void add_aimed_faults(seed_plan& plan, fault_chance& chance) {
  if (plan.servers < 2) return;
  if (chance.once_in(2)) plan.faults.clear();
  repeat_copies(plan, chance);
  aimer aim(plan, chance);
  switch (chance.between(0, plan.servers > 2 ? 6 : 4)) {
  case 0:
    return aim.unreachable_backup();
  case 1:
    return aim.death_of_the_copied();
  case 2:
    return aim.death_while_regrouping();
  case 3:
    return aim.death_after_parting();
  case 4:
    return aim.death_after_hang();
  default:
    return aim.late_layout();
  }
}

} // namespace gradmesh::tools::sim
