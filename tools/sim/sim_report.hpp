#pragma once

/// What `gradmesh sim` prints.

#include "tools/sim/seed_farm.hpp"

#include <string>

namespace gradmesh::tools::sim {

struct sim_request {
  farm_options farm;
  std::string plant; // empty: none
  /// Options that choose what a seed means, as they were given: for the command that replays one.
  std::string chosen;
};

/// One command that runs a seed again, with all that happens in it.
std::string replay_command(const sim_request& request, std::uint64_t seed);

std::string to_table(const sim_request& request, const farm_report& report);
std::string to_json(const sim_request& request, const farm_report& report);
/// A violation and how to see it, or that a planted bug was (not) found; empty if all is well.
std::string verdict(const sim_request& request, const farm_report& report);

} // namespace gradmesh::tools::sim
