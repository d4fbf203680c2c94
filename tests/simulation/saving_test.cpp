/// What a coordinator does with a model that its disk does not take.

#include "tools/sim/patient_client.hpp"
#include "tools/sim/seed_plan.hpp"
#include "tools/sim/seed_run.hpp"
#include "tools/simulation/faulty_disk.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::tools::sim;
using namespace std::chrono_literals;

namespace {

/// A mesh and a job of a seed, whose coordinator's disk is full before the job's end.
struct full_disk_mesh {
  full_disk_mesh()
      : plan(plan_of(8, {.sizes = {.servers = 2, .workers = 1, .data_servers = 1}, .faults = {}})),
        mesh({.seed = plan.seed,
              .rules = {},
              .wire = plan.wire,
              .disk_of = [&](simulation::host_id host) { return disk_of(host); },
              .power_lost = {},
              .disk_failed = {},
              .note = {}},
             store.hosts) {
    for (const auto& file : plan.node_files)
      REQUIRE(mesh.add_machine(file));
    client = std::make_unique<simulation::job_client>(
        [&](env::network_options links) {
          return mesh.wire().make_network(mesh.machines(), std::move(links));
        },
        mesh::node_uuid{0xc1});
    REQUIRE(client->start());
  }
  ~full_disk_mesh() {
    client.reset();
    mesh.stop();
  }

  std::shared_ptr<simulation::faulty_disk> disk_of(simulation::host_id host) {
    auto disk = std::make_shared<simulation::faulty_disk>(plan.seed ^ host << 32);
    (void)disk->create_directories(".");
    (void)disk->write("train.data", store.data_of(plan));
    disks.push_back(disk);
    return disk;
  }

  seed_plan plan;
  sim_store store;
  std::vector<std::shared_ptr<simulation::faulty_disk>> disks;
  simulation::faulty_mesh mesh;
  std::unique_ptr<simulation::job_client> client;
};

} // namespace

TEST_CASE("a model that the disk does not take is tried again once a second, until there is room") {
  full_disk_mesh m;
  auto& disk = *m.disks.front();
  patient_client job(m.mesh, *m.client, m.plan.job, {2, 1, 1});
  REQUIRE(m.mesh.run_until([&] { return job.accepted(); }, 60s));
  const auto is_saving = [&] {
    return m.client->outcome().phase == schema::JobPhase::SAVING || job.ended();
  };
  REQUIRE(m.mesh.run_until(is_saving, 60s));
  REQUIRE_FALSE(job.ended());
  disk.set_space(0);
  const auto refused = [&] {
    return m.client->outcome().text.find("tries again") != std::string::npos;
  };
  REQUIRE(m.mesh.run_until(refused, 10s));
  const auto before = disk.steps();
  m.mesh.run_until([] { return false; }, 5s);
  // Each attempt makes a file and appends to it.
  CHECK(disk.steps() - before >= 2 * 4);
  CHECK(disk.steps() - before <= 4 * 5);
  disk.set_space(~std::uint64_t{0});
  REQUIRE(m.mesh.run_until([&] { return job.ended(); }, 3s));
  CHECK_MESSAGE(job.outcome().phase == schema::JobPhase::DONE, job.outcome().text);
}
