#pragma once

/// Everything outside the actors that a node needs, in one place: production binds it to the real
/// thing, tests and in-process meshes to memory.

#include "actors/env/command.hpp"
#include "actors/env/device.hpp"
#include "actors/env/disk.hpp"
#include "actors/env/folder_lock.hpp"
#include "actors/env/log.hpp"
#include "actors/env/network/network.hpp"
#include "actors/env/thread_team.hpp"
#include "actors/rules.hpp"

#include <functional>
#include <memory>
#include <string>

namespace gradmesh::parameters {
class rule_registry;
}

namespace gradmesh::env {

/// How actors are run. Detached: each on a thread of its own, which answers in a third of the time
/// that the scheduler's polling takes. Hosted: those that answer at once on the network's thread,
/// which halves that again; the others detached. Scheduled: by the actor system's scheduler, for
/// tests in virtual time.
enum class placement : std::uint8_t { detached, hosted, scheduled };

struct environment {
  std::function<std::shared_ptr<network>(network_options)> make_network;
  std::shared_ptr<env::disk> disk;
  command_runner run_command;
  log_sink log;
  /// Threads that share the work of a step.
  team_maker make_team;
  /// GPUs; null where there are none.
  device_opener open_device = {};
  /// Seeds and uuids are drawn from here.
  std::function<std::uint64_t()> entropy;
  /// Where files that can be made again are kept; empty: nowhere.
  std::string cache_folder;
  placement place = placement::detached;
  /// For experiments; see rules.hpp.
  rule_set rules{};
  /// The update rules of the application; null: none but the built-in ones.
  std::shared_ptr<const parameters::rule_registry> update_rules = {};
  /// Keeps other processes out of a node's state folder; null where there are none.
  folder_locker lock_folder = {};
  /// Milliseconds since 1970, for people to read; null where there is no such time.
  std::function<std::int64_t()> unix_ms = {};
};

/// Sockets, the file system, the operating system's entropy.
environment real_environment(log_sink log, std::string cache_folder);

} // namespace gradmesh::env
