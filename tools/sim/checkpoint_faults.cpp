#include "tools/sim/checkpoint_faults.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::tools::sim {
namespace {

using std::chrono::milliseconds;

constexpr simulation::host_id coordinator_host = 0;
/// Steps of a job whose checkpoints come by interval take so many times as long as others: the
/// shortest interval is a second.
constexpr std::uint32_t slow_pace = 20;
constexpr std::uint64_t moments = 250; // ms, of a job of pace 1

std::vector<simulation::host_id> servers_of(const seed_plan& plan) {
  std::vector<simulation::host_id> servers;
  for (simulation::host_id host = 0; host < plan.names.size(); ++host)
    if (plan.names[host].starts_with("server")) servers.push_back(host);
  return servers;
}

/// All servers die, one soon after the other, so that shards are lost.
std::vector<fault> loss_of_servers(const seed_plan& plan, milliseconds at, fault_chance& chance) {
  std::vector<fault> deaths;
  for (const auto host : servers_of(plan))
    if (const auto kind = chance.death())
      deaths.push_back({.kind = *kind,
                        .at = at + chance.ms_between(0, 20),
                        .lasts = chance.ms_between(20, 500),
                        .a = host});
  return deaths;
}

/// What goes wrong with the disk that checkpoints are on.
void add_disk_faults(seed_plan& plan, fault_chance& chance) {
  const auto at = [&] { return chance.ms_between(20, moments * plan.length.pace); };
  if (chance.may(fault_kind::power) && chance.once_in(3))
    plan.faults.push_back({.kind = fault_kind::power,
                           .at = at(),
                           .lasts = chance.ms_between(20, 500),
                           .a = coordinator_host});
  for (const auto kind : {fault_kind::disk_full, fault_kind::sync})
    if (chance.may(kind) && chance.once_in(6))
      plan.faults.push_back(
          {.kind = kind, .at = at(), .lasts = chance.ms_between(10, 200), .a = coordinator_host});
  if (chance.may(fault_kind::flip) && chance.once_in(4))
    for (auto flips = chance.between(1, 3); flips > 0; --flips)
      plan.faults.push_back({.kind = fault_kind::flip, .at = at(), .a = coordinator_host});
}

} // namespace

void plan_checkpoints(seed_plan& plan, fault_chance& chance) {
  auto& how = plan.checkpoints.emplace();
  how.by_interval = chance.once_in(3);
  if (how.by_interval) plan.length.pace = slow_pace;
  plan.length.epochs = static_cast<std::uint32_t>(chance.between(1, 3));
  if (!how.by_interval || chance.once_in(2))
    how.asked_every = chance.ms_between(10, 80) * plan.length.pace;
  if (chance.once_in(3)) plan.copies = 1;
  if (chance.once_in(3)) how.cancels_at = chance.ms_between(30, moments) * plan.length.pace;
  how.power_lost = chance.may(fault_kind::power) && chance.once_in(2);
}

std::string checkpoint_lines(const seed_plan& plan, fault_chance& chance) {
  return fmt::format("[checkpoint]\nfolder = {}\ninterval = {}\nkeep = {}\n", checkpoint_folder,
                     plan.checkpoints->by_interval ? 1 : 0, chance.between(1, 3));
}

void add_checkpoint_faults(seed_plan& plan, fault_chance& chance) {
  for (auto& f : plan.faults)
    f.at *= plan.length.pace;
  add_disk_faults(plan, chance);
  repeat_copies(plan, chance);
  if (chance.once_in(3)) {
    const auto at = chance.ms_between(50, moments) * plan.length.pace;
    for (const auto& death : loss_of_servers(plan, at, chance))
      plan.faults.push_back(death);
    // And another one of anybody while the job goes back.
    if (const auto kind = chance.death(); kind && chance.once_in(2)) {
      auto again = draw_fault(*kind, plan.names.size(), chance.random());
      again.at += at + milliseconds(100);
      plan.faults.push_back(again);
    }
  }
  auto& later = plan.checkpoints->later_faults;
  if (chance.once_in(6)) later = loss_of_servers(plan, chance.ms_between(0, moments), chance);
  if (const auto kind = chance.death(); kind && chance.once_in(2))
    later.push_back(draw_fault(*kind, plan.names.size(), chance.random()));
}

bool may_damage_checkpoints(const seed_plan& plan) {
  return std::ranges::any_of(plan.faults,
                             [](const fault& f) { return f.kind == fault_kind::flip; });
}

} // namespace gradmesh::tools::sim
