#include "tools/sim/fault_driver.hpp"

#include "actors/defaults.hpp"
#include "tools/sim/checkpoint_faults.hpp"

#include <algorithm>

namespace gradmesh::tools::sim {
namespace {

using std::chrono::milliseconds;

constexpr simulation::host_id coordinator_host = 0;
constexpr milliseconds slower_max{150};
/// Silence that a coordinator does not take for death: its limit less a heartbeat, and what frames
/// may take.
constexpr milliseconds silence_max = node_timeout - heartbeat - milliseconds(2 * 150 + 20);
/// What is less does not part a primary from its backup, however slow their link is.
constexpr milliseconds parting_min =
    defaults::server_shard::backup_silence_max - milliseconds(2 * 150 + 200);

void begin(const fault& f, simulation::faulty_mesh& mesh, const disk_list& disks) {
  auto& time = mesh.time();
  auto& wire = mesh.wire();
  const auto over = [&](std::function<void()> end) { time.after(f.lasts, std::move(end)); };
  switch (f.kind) {
  case fault_kind::crash:
  case fault_kind::power:
    mesh.crash(f.a, f.kind == fault_kind::power);
    return over([&mesh, f] { mesh.restart(f.a); });
  case fault_kind::hang:
    mesh.hang(f.a);
    return over([&mesh, f] { mesh.resume(f.a); });
  case fault_kind::partition:
    wire.block(f.b, f.a);
    wire.block(f.a, f.b);
    return over([&wire, f] {
      wire.unblock(f.a, f.b);
      wire.unblock(f.b, f.a);
    });
  case fault_kind::one_way:
    wire.block(f.a, f.b);
    return over([&wire, f] { wire.unblock(f.a, f.b); });
  case fault_kind::link:
    return wire.break_links(f.a, f.b);
  case fault_kind::delay:
    return wire.slow_down(f.a, f.b, time.up_to(slower_max), time.now + f.lasts);
  case fault_kind::disk_full:
    disks[f.a]->set_space(0);
    return over([disk = disks[f.a]] { disk->set_space(~std::uint64_t{0}); });
  case fault_kind::sync:
    disks[f.a]->fail_syncs(1);
    return over([disk = disks[f.a]] { disk->fail_syncs(0); });
  case fault_kind::flip:
    (void)disks[f.a]->flip_any_bit(std::string(checkpoint_folder) + "/");
    return;
  case fault_kind::repeat: // a property of the wire
    return;
  }
}

bool takes_time(fault_kind kind) {
  return kind == fault_kind::hang || kind == fault_kind::partition || kind == fault_kind::one_way;
}

} // namespace

void schedule_faults(const seed_plan& plan, simulation::faulty_mesh& mesh, const disk_list& disks) {
  for (const auto& f : plan.faults)
    mesh.time().after(f.at, [&mesh, &disks, f] { begin(f, mesh, disks); });
}

std::set<simulation::host_id> may_be_missed(const seed_plan& plan) {
  milliseconds silent{0};
  for (const auto& f : plan.faults)
    if (takes_time(f.kind)) silent += f.lasts;
  std::set<simulation::host_id> missed;
  const auto loses_its_link = [&](const fault& f) {
    if (f.a == coordinator_host) missed.insert(f.b);
    if (f.b == coordinator_host) missed.insert(f.a);
  };
  for (const auto& f : plan.faults) {
    switch (f.kind) {
    case fault_kind::crash:
    case fault_kind::power:
      missed.insert(f.a);
      break;
    case fault_kind::hang:
      if (silent > silence_max && f.a != coordinator_host) missed.insert(f.a);
      break;
    case fault_kind::partition:
    case fault_kind::one_way:
      if (silent > silence_max) loses_its_link(f);
      break;
    case fault_kind::link:
      loses_its_link(f);
      break;
    default:
      break;
    }
  }
  return missed;
}

bool may_fail_to_write(const seed_plan& plan, simulation::host_id host) {
  return std::ranges::any_of(plan.faults, [&](const fault& f) {
    return f.a == host && (f.kind == fault_kind::disk_full || f.kind == fault_kind::sync);
  });
}

bool may_silence_backup(const seed_plan& plan) {
  // Without a coordinator nobody learns that a backup is gone.
  const auto may = [](const fault& f) {
    return takes_time(f.kind) || f.kind == fault_kind::power || f.kind == fault_kind::delay ||
           f.kind == fault_kind::link || f.a == coordinator_host;
  };
  return std::ranges::any_of(plan.faults, may) ||
         (plan.checkpoints && std::ranges::any_of(plan.checkpoints->later_faults, may));
}

/// Whether a primary may have given up a backup that is there, so that for a while nobody else has
/// what it has.
bool may_part(const seed_plan& plan) {
  const auto of_servers = [&](const fault& f) {
    const auto is_server = [&](simulation::host_id host) {
      return plan.names[host].starts_with("server");
    };
    return takes_time(f.kind) && is_server(f.a) && (f.kind == fault_kind::hang || is_server(f.b));
  };
  milliseconds silent{0};
  for (const auto& f : plan.faults)
    if (of_servers(f)) silent += f.lasts;
  return silent > parting_min;
}

bool may_lose_shard(const seed_plan& plan) {
  const auto is_server = [&](simulation::host_id host) {
    return plan.names[host].starts_with("server");
  };
  // One that is away and comes back has what it had.
  const bool dies = std::ranges::any_of(plan.faults, [&](const fault& f) {
    return is_server(f.a) && (f.kind == fault_kind::crash || f.kind == fault_kind::power);
  });
  const auto missed = may_be_missed(plan);
  const auto servers = static_cast<std::size_t>(std::ranges::count_if(missed, is_server));
  return dies && servers >= (may_part(plan) ? 1 : std::min(plan.servers, plan.copies));
}

} // namespace gradmesh::tools::sim
