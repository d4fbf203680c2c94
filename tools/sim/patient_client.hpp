#pragma once

/// A client that sees its job through: dials until the coordinator answers, submits, and hears of
/// the job until it has ended, also from a coordinator that was restarted.

#include "tools/simulation/faulty_mesh.hpp"
#include "tools/simulation/job_client.hpp"

#include <memory>
#include <string>

namespace gradmesh::tools::sim {

class patient_client {
public:
  patient_client(simulation::faulty_mesh& mesh, simulation::job_client& client, std::string job,
                 const simulation::job_members& least, const simulation::resume_point& from = {});
  ~patient_client() { *alive_ = false; }
  patient_client(const patient_client&) = delete;
  patient_client& operator=(const patient_client&) = delete;

  bool accepted() const { return client_.job_id() != 0; }
  bool ended() const { return refused() || client_.outcome().ended(); }
  bool refused() const { return !accepted() && client_.refusal(); }
  const simulation::job_outcome& outcome() const { return client_.outcome(); }

private:
  void tick();

  simulation::faulty_mesh& mesh_;
  simulation::job_client& client_;
  const std::string job_;
  const simulation::job_members least_;
  const simulation::resume_point from_;
  bool submitted_ = false; // on the present link
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace gradmesh::tools::sim
