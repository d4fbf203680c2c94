#pragma once

/// What every actor of a node is given: its way to the mesh and to the outside world.

#include "actors/env/environment.hpp"
#include "actors/mesh/router.hpp"
#include "actors/node/service_board.hpp"
#include "actors/parameters/rule_registry.hpp"

#include <memory>
#include <string>

namespace gradmesh::node {

class loop_unit;

struct context {
  std::shared_ptr<mesh::router> router;
  std::shared_ptr<env::disk> disk;
  env::command_runner run_command;
  env::log_sink log;
  env::team_maker make_team;
  env::device_opener open_device; // null: no devices
  std::shared_ptr<service_board> board;
  env::placement place = env::placement::detached;
  /// Where actors that answer at once are hosted; null where the environment has none hosted.
  std::shared_ptr<loop_unit> loop;
  std::string node_name;
  std::function<std::int64_t()> unix_ms; // see environment; may be null
  std::string cache_folder;
  rule_set rules;
  std::shared_ptr<const parameters::rule_registry> update_rules; // never null
};
using context_ptr = std::shared_ptr<const context>;

} // namespace gradmesh::node
