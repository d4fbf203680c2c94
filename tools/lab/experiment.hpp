#pragma once

/// One job on one mesh in virtual time: the real actors, nothing waited for.

#include "actors/learning/dataset.hpp"
#include "actors/rules.hpp"
#include "tools/simulation/virtual_mesh.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace gradmesh::tools::lab {

struct experiment {
  std::size_t servers = 2;
  std::size_t workers = 4;
  std::size_t data_servers = 1;
  std::vector<std::string> options; // of the job: "job.strategy=ssp"
  learning::dataset data;
  rule_set rules;

  std::chrono::milliseconds step_time{0};
  std::chrono::milliseconds link_delay{0};
  std::vector<double> slowdown{}; // by rank, as far as it goes
  double slow_part = 1;           // of the steps, at random

  simulation::wire_tap tap{};
  /// Ends the experiment before the job has; asked between messages.
  std::function<bool()> enough{};
  /// Called with the mesh before the job is submitted; lets a tap tell the time.
  std::function<void(const simulation::virtual_mesh&)> begun{};
};

struct outcome {
  schema::JobUpdate::Reader update() const { return **job.update; }

  simulation::job_outcome job;
  store::model_content model; // empty where the experiment ended before
};

/// Errors: what kept the job from being done, in the words that a user would see.
result<outcome> run(const experiment& e);

} // namespace gradmesh::tools::lab
