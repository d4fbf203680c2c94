/// What a coordinator does with a model that its disk does not take.

#include "tests/simulation/seed_mesh.hpp"
#include "tools/sim/patient_client.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::tools::sim;
using namespace std::chrono_literals;

TEST_CASE("a model that the disk does not take is tried again once a second, until there is room") {
  seed_mesh m(plan_of(8, {.sizes = {.servers = 2, .workers = 1, .data_servers = 1}, .faults = {}}));
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
