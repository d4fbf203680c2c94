#pragma once

/// What a seed stands for: a mesh, a job on it, and what goes wrong meanwhile.

#include "tools/simulation/simulated_wire.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::tools::sim {

enum class fault_kind : std::uint8_t {
  crash,     // a process dies and is started again after a while
  power,     // a machine loses its power, so that nobody is told, and comes back after a while
  hang,      // a process stands still for a while
  partition, // nothing comes through between two machines, in both directions, for a while
  one_way,   // in one direction
  link,      // the links between two machines break
  delay,     // frames between two machines take longer for a while
  repeat,    // requests that may be repeated are, now and then
  disk_full, // a machine has no room on its disk for a while
  sync,      // the first sync of a machine to its disk in a while fails
  flip,      // a bit turns over in a checkpoint
};

struct fault_name {
  fault_kind kind;
  std::string_view name;
};
std::span<const fault_name> all_faults();
std::string_view to_string(fault_kind kind);
std::optional<fault_kind> fault_named(std::string_view name);

struct fault {
  fault_kind kind{};
  std::chrono::milliseconds at{0}; // after the job was accepted
  std::chrono::milliseconds lasts{0};
  simulation::host_id a = 0;
  simulation::host_id b = 0; // where there are two
};

/// Sizes of the mesh, where they are not left to the seed.
struct mesh_sizes {
  std::optional<std::size_t> servers;
  std::optional<std::size_t> workers;
  std::optional<std::size_t> data_servers;
};

struct seed_options {
  mesh_sizes sizes;
  std::vector<fault_kind> faults; // that may happen
};

/// What the result of a job is compared with.
enum class data_kind : std::uint8_t {
  counted, // the counting model: how often each example was applied
  sparse,  // the bits of an undisturbed run
  svrg,    // the same, by SVRG on dense data
};

/// How a job's checkpoints are made and used.
struct checkpoint_plan {
  bool by_interval = false;
  std::chrono::milliseconds asked_every{0};            // by the client; 0: never
  std::optional<std::chrono::milliseconds> cancels_at; // the job is cancelled
  /// Then the coordinator's machine loses its power before the next job goes on from the newest.
  bool power_lost = false;
  std::vector<fault> later_faults; // while that job runs
};

/// How long a job is, and with it the faults of its seed are apart.
struct job_length {
  std::uint32_t epochs = 1; // times so many
  std::uint32_t pace = 1;   // each step takes so many times as long
};

struct seed_plan {
  std::uint64_t seed = 0;
  std::size_t servers = 0;
  std::size_t workers = 0;
  std::size_t data_servers = 0;
  simulation::wire_options wire;
  std::vector<std::string> node_files; // by host; the coordinator is the first
  std::vector<std::string> names;      // of the nodes, by host
  data_kind data{};
  std::size_t examples = 0;
  std::uint32_t epochs = 0;
  bool loses_some = false; // backup workers: examples of late pushes are not applied
  std::string job;         // the job file
  std::size_t copies = 2;  // of a shard
  job_length length;
  std::optional<checkpoint_plan> checkpoints; // the job is not recorded then
  std::vector<fault> faults;

  std::chrono::milliseconds faults_end() const;
};

inline constexpr std::size_t counted_batch = 12; // divided evenly by 1 to 4 workers
inline constexpr double counted_rate = 1e-3;
inline constexpr std::chrono::milliseconds heartbeat{200};
inline constexpr std::chrono::seconds node_timeout{1};

seed_plan plan_of(std::uint64_t seed, const seed_options& options);

/// "servers=2,workers=2,data-servers=1; ssp; crash of worker-1 at 12 ms for 340 ms, ..."
std::string describe(const seed_plan& plan);

/// Whether a fault of the kind is one between two machines.
bool meets_two(fault_kind kind);

} // namespace gradmesh::tools::sim
