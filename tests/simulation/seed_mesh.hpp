#pragma once

/// The mesh of a seed's plan, on faulty disks that have its data, with a client and nothing that
/// goes wrong by itself.

#include "tools/sim/seed_plan.hpp"
#include "tools/sim/seed_run.hpp"
#include "tools/simulation/faulty_disk.hpp"
#include "tools/simulation/faulty_mesh.hpp"
#include "tools/simulation/job_client.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <utility>
#include <vector>

namespace gradmesh::tools::sim {

struct seed_mesh {
  explicit seed_mesh(seed_plan of)
      : plan(std::move(of)),
        mesh({.seed = plan.seed,
              .rules = {},
              .wire = plan.wire,
              .disk_of = [&](simulation::host_id host) { return disk_of(host); },
              .power_lost = [&](simulation::host_id host) { disks[host]->crash(); },
              .disk_failed = [&](simulation::host_id host) { return disks[host]->was_faulty(); },
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
  ~seed_mesh() {
    client.reset();
    mesh.stop();
  }
  seed_mesh(const seed_mesh&) = delete;
  seed_mesh& operator=(const seed_mesh&) = delete;

  seed_plan plan;
  sim_store store;
  std::vector<std::shared_ptr<simulation::faulty_disk>> disks; // by host; the coordinator's is 0
  simulation::faulty_mesh mesh;
  std::unique_ptr<simulation::job_client> client;

private:
  std::shared_ptr<simulation::faulty_disk> disk_of(simulation::host_id host) {
    auto disk = std::make_shared<simulation::faulty_disk>(plan.seed ^ host << 32);
    (void)disk->create_directories(".");
    (void)disk->write("train.data", store.data_of(plan));
    disks.push_back(disk);
    return disk;
  }
};

} // namespace gradmesh::tools::sim
