#include "tools/sim/seed_plan.hpp"

#include "tools/sim/aimed_faults.hpp"
#include "tools/sim/checkpoint_faults.hpp"
#include "tools/simulation/virtual_mesh.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::tools::sim {
namespace {

using env::random_stream;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr fault_name fault_names[] = {
    {fault_kind::crash, "crash"},         {fault_kind::power, "power"},
    {fault_kind::hang, "hang"},           {fault_kind::partition, "partition"},
    {fault_kind::one_way, "one-way"},     {fault_kind::link, "link"},
    {fault_kind::delay, "delay"},         {fault_kind::repeat, "repeat"},
    {fault_kind::disk_full, "disk-full"}, {fault_kind::sync, "sync"},
    {fault_kind::flip, "flip"},
};

constexpr std::size_t faults_max = 3;
/// Of what decides about the seeds that are more than their mesh, job and a few faults.
constexpr std::uint64_t kind_seed = 0x6b696e61;

std::uint64_t between(random_stream& chance, std::uint64_t least, std::uint64_t most) {
  return least + chance.below(most - least + 1);
}

template <class T>
const T& one_of(random_stream& chance, const std::vector<T>& all) {
  return all[chance.below(all.size())];
}

void add_nodes(seed_plan& plan, random_stream& chance) {
  // A few steps a second, so that faults meet every part of a job and cost no computing.
  const auto step_ms = between(chance, 1, 20) * plan.length.pace;
  const bool has_slow = chance.below(2) == 0;
  const auto slow = chance.below(plan.workers);
  const std::pair<const char*, std::size_t> roles[] = {{"coordinator", 1},
                                                       {"server", plan.servers},
                                                       {"data-server", plan.data_servers},
                                                       {"worker", plan.workers}};
  for (const auto& [role, count] : roles)
    for (std::size_t i = 0; i < count; ++i) {
      // [node] is the first section of the file.
      auto file = simulation::virtual_mesh::node_file(role, i);
      file += fmt::format("heartbeat_ms = {}\nnode_timeout = {}\njoin_timeout = 3600\n",
                          heartbeat.count(), node_timeout.count());
      if (role == std::string_view("coordinator")) file += "state_folder = state\n";
      if (role == std::string_view("worker"))
        file += fmt::format("[emulation]\nstep_time_ms = {}\nslowdown = {}\n", step_ms,
                            has_slow && i == slow ? 4 : 1);
      plan.node_files.push_back(file);
      plan.names.push_back(role == std::string_view("coordinator") ? std::string(role)
                                                                   : fmt::format("{}-{}", role, i));
    }
}

/// The lines of [job] that say how workers keep in step.
std::string strategy_lines(seed_plan& plan, random_stream& chance) {
  switch (chance.below(8)) {
  case 0:
  case 1:
    return fmt::format("strategy = ssp\nstaleness = {}\n", chance.below(3));
  case 2:
    return fmt::format("strategy = bounded-delay\ndelay = {}\n", chance.below(5));
  case 3:
    return "strategy = async\n";
  case 4:
    if (plan.workers == 1) return "strategy = bsp\n";
    plan.loses_some = true;
    return "strategy = bsp\nbackup_workers = 1\n";
  case 5:
    return "strategy = bsp\n";
  default:
    plan.data = chance.below(4) == 0 ? data_kind::svrg : data_kind::sparse;
    // Few different ones, because each needs a run of its own to compare with.
    plan.examples = plan.data == data_kind::svrg ? 24 : 36;
    plan.epochs = 2 * plan.length.epochs;
    return fmt::format(
        "strategy = bsp\ndeterministic = true\nmicro_batches = 4\nsvrg_epochs = {}\n",
        plan.data == data_kind::svrg ? 1 : 0);
  }
}

void add_job(seed_plan& plan, random_stream& chance) {
  plan.examples = counted_batch * between(chance, 1, 4);
  plan.epochs = static_cast<std::uint32_t>(between(chance, 1, 2)) * plan.length.epochs;
  const auto strategy = strategy_lines(plan, chance);
  const bool counted = plan.data == data_kind::counted;
  const auto partitions = counted ? between(chance, plan.servers, 6) : 4;
  const bool overlaps = !counted || chance.below(4) > 0;
  plan.job = fmt::format(
      "[job]\nname = sim\n{}epochs = {}\nbatch_size = {}\noverlap = {}\nmodel_file = model.gmm\n"
      "{}replication = {}\nrequest_timeout = 5\nwait = 20\n"
      "[data]\nformat = {}\ntrain = train.data\nfeatures = {}\nclasses = {}\n"
      "[optimizer]\ntype = sgd\nlearning_rate = {}\n"
      "[mesh]\nservers = {}\nworkers = {}\ndata_servers = {}\npartitions = {}\n",
      strategy, plan.epochs, counted_batch, overlaps, plan.checkpoints ? "" : "record = clock\n",
      plan.copies, plan.data == data_kind::svrg ? "csv" : "libsvm",
      counted                        ? plan.examples
      : plan.data == data_kind::svrg ? 4
                                     : 32,
      counted ? 2 : 3, counted ? counted_rate : 0.3, plan.servers, plan.workers, plan.data_servers,
      partitions);
}

std::string describe(const fault& f, const seed_plan& plan) {
  auto text = fmt::format("; {} of {}", to_string(f.kind), plan.names[f.a]);
  if (meets_two(f.kind)) text += fmt::format(" and {}", plan.names[f.b]);
  text += fmt::format(" at {} ms", f.at.count());
  if (f.lasts.count() > 0) text += fmt::format(" for {} ms", f.lasts.count());
  return text;
}

/// A few at any moment, of any machine.
void add_faults(seed_plan& plan, const std::vector<fault_kind>& kinds, random_stream& chance) {
  auto anywhere = kinds;
  std::erase(anywhere, fault_kind::flip); // only where there are checkpoints
  const auto count = anywhere.empty() ? 0 : chance.below(faults_max + 1);
  for (std::size_t i = 0; i < count; ++i) {
    const auto kind = one_of(chance, anywhere);
    if (kind == fault_kind::repeat)
      plan.wire.repeat_one_in = repeat_one_in;
    else
      plan.faults.push_back(draw_fault(kind, plan.names.size(), chance));
  }
}

} // namespace

std::span<const fault_name> all_faults() {
  return fault_names;
}

std::string_view to_string(fault_kind kind) {
  return fault_names[static_cast<std::size_t>(kind)].name;
}

std::optional<fault_kind> fault_named(std::string_view name) {
  const auto* found = std::ranges::find(fault_names, name, &fault_name::name);
  return found == std::end(fault_names) ? std::nullopt : std::optional(found->kind);
}

bool meets_two(fault_kind kind) {
  return kind == fault_kind::partition || kind == fault_kind::one_way || kind == fault_kind::link ||
         kind == fault_kind::delay;
}

milliseconds seed_plan::faults_end() const {
  milliseconds end{0};
  for (const auto& f : faults)
    end = std::max(end, f.at + f.lasts);
  return end;
}

seed_plan plan_of(std::uint64_t seed, const seed_options& options) {
  random_stream chance(seed);
  fault_chance more(seed ^ kind_seed, options.faults);
  const auto kind = more.between(0, 4);
  const bool checkpoints = kind == 0, aimed = kind == 1;
  seed_plan plan;
  plan.seed = seed;
  const auto size = [&](const std::optional<std::size_t>& asked, std::uint64_t most) {
    const auto drawn = between(chance, 1, most);
    return asked.value_or(drawn);
  };
  plan.servers = size(options.sizes.servers, 3);
  plan.workers = size(options.sizes.workers, 3);
  plan.data_servers = size(options.sizes.data_servers, 2);
  plan.wire.latency = microseconds(between(chance, 20, 500));
  plan.wire.jitter = microseconds(between(chance, 1, 2000));
  if (checkpoints) plan_checkpoints(plan, more);
  if (aimed) plan_aimed(plan, options.sizes, more);
  add_nodes(plan, chance);
  add_job(plan, chance);
  if (checkpoints) plan.job += checkpoint_lines(plan, more);
  add_faults(plan, options.faults, chance);
  if (checkpoints) add_checkpoint_faults(plan, more);
  if (aimed) add_aimed_faults(plan, more);
  return plan;
}

std::string describe(const seed_plan& plan) {
  auto text = fmt::format("servers={},workers={},data-servers={}", plan.servers, plan.workers,
                          plan.data_servers);
  if (plan.wire.repeat_one_in > 0) text += "; requests are repeated";
  if (plan.wire.repeats_copies) text += ", and copies of shards";
  for (const auto& f : plan.faults)
    text += describe(f, plan);
  if (!plan.checkpoints) return text;
  const auto& how = *plan.checkpoints;
  if (how.asked_every.count() > 0)
    text += fmt::format("; a checkpoint is asked for every {} ms", how.asked_every.count());
  if (how.cancels_at) text += fmt::format("; cancelled at {} ms", how.cancels_at->count());
  if (how.power_lost) text += "; the coordinator loses its power";
  text += "; goes on from the newest";
  for (const auto& f : how.later_faults)
    text += describe(f, plan);
  return text;
}

} // namespace gradmesh::tools::sim
