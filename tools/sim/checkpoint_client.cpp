#include "tools/sim/checkpoint_client.hpp"

namespace gradmesh::tools::sim {
namespace {

/// Until the job has ended: a coordinator that is away does not hear it.
constexpr std::chrono::milliseconds cancel_interval{100};

} // namespace

checkpoint_client::checkpoint_client(const checkpoint_plan& how, simulation::faulty_mesh& mesh,
                                     simulation::job_client& client, const patient_client& job)
    : how_(how), mesh_(mesh), client_(client), job_(job) {
  if (how_.asked_every.count() > 0) after(how_.asked_every, &checkpoint_client::ask);
  if (how_.cancels_at) after(*how_.cancels_at, &checkpoint_client::cancel);
}

void checkpoint_client::after(std::chrono::milliseconds delay, void (checkpoint_client::*what)()) {
  mesh_.time().after(delay, [this, what, alive = alive_] {
    if (*alive && !job_.ended()) (this->*what)();
  });
}

void checkpoint_client::ask() {
  // One that is being made, or a job that does not train now, is no reason to stop.
  (void)client_.create_checkpoint();
  after(how_.asked_every, &checkpoint_client::ask);
}

void checkpoint_client::cancel() {
  (void)client_.cancel(client_.job_id());
  after(cancel_interval, &checkpoint_client::cancel);
}

} // namespace gradmesh::tools::sim
