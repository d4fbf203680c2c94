#include "tools/sim/patient_client.hpp"

#include <utility>

namespace gradmesh::tools::sim {
namespace {

constexpr std::chrono::milliseconds look_interval{100};
/// How long a job waits for its members.
constexpr std::chrono::seconds members_wait{30};
const config::endpoint coordinator{.host = "127.0.0.1", .port = 7700};

} // namespace

patient_client::patient_client(simulation::faulty_mesh& mesh, simulation::job_client& client,
                               std::string job, const simulation::job_members& least,
                               const simulation::resume_point& from)
    : mesh_(mesh), client_(client), job_(std::move(job)), least_(least), from_(from) {
  client_.forget();
  tick();
}

void patient_client::tick() {
  if (ended()) return;
  if (!client_.linked()) {
    submitted_ = false;
    if (!client_.dialling()) client_.dial(coordinator);
  } else if (accepted()) {
    // Whoever sends nothing does not notice that a machine has vanished.
    (void)client_.ask_status();
  } else if (!std::exchange(submitted_, true)) {
    (void)client_.submit(job_, members_wait, least_, from_);
  }
  mesh_.time().after(look_interval, [this, alive = alive_] {
    if (*alive) tick();
  });
}

} // namespace gradmesh::tools::sim
