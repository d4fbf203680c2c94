#pragma once

/// What the client of a seed of checkpoints does while its job runs: has checkpoints made, and
/// cancels the job.

#include "tools/sim/patient_client.hpp"
#include "tools/sim/seed_plan.hpp"

#include <memory>

namespace gradmesh::tools::sim {

class checkpoint_client {
public:
  /// The job is accepted; all of these outlive this.
  checkpoint_client(const checkpoint_plan& how, simulation::faulty_mesh& mesh,
                    simulation::job_client& client, const patient_client& job);
  ~checkpoint_client() { *alive_ = false; }
  checkpoint_client(const checkpoint_client&) = delete;
  checkpoint_client& operator=(const checkpoint_client&) = delete;

private:
  void ask();
  void cancel();
  void after(std::chrono::milliseconds delay, void (checkpoint_client::*what)());

  const checkpoint_plan& how_;
  simulation::faulty_mesh& mesh_;
  simulation::job_client& client_;
  const patient_client& job_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace gradmesh::tools::sim
