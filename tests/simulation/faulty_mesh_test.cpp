/// Nodes that die, hang and come back, by themselves.

#include "tools/simulation/faulty_mesh.hpp"

#include "tools/simulation/faulty_disk.hpp"
#include "tools/simulation/job_client.hpp"
#include "tools/simulation/virtual_mesh.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace std::chrono_literals;

namespace {

/// A coordinator, a server, and a client that asks how many members there are.
struct small_mesh {
  small_mesh() {
    const auto file = [](const char* role) {
      return simulation::virtual_mesh::node_file(role, 0) + "node_timeout = 1\n";
    };
    REQUIRE(mesh.add_machine(file("coordinator")));
    REQUIRE(mesh.add_machine(file("server")));
    client = std::make_unique<simulation::job_client>(
        [this](env::network_options links) {
          return mesh.wire().make_network(mesh.machines(), std::move(links));
        },
        mesh::node_uuid{9});
    REQUIRE(client->start());
    run_for(1s);
    client->dial({.host = "127.0.0.1", .port = 7700});
    run_for(100ms);
    REQUIRE(client->linked());
  }
  void run_for(simulation::timeline::duration d) {
    CHECK_FALSE(mesh.run_until([] { return false; }, d));
  }
  std::size_t members() {
    REQUIRE(client->ask_status());
    REQUIRE(mesh.run_until([&] { return client->members().has_value(); }, 1s));
    return *client->members();
  }

  simulation::actor_hosts hosts;
  std::vector<std::shared_ptr<simulation::faulty_disk>> disks;
  std::size_t power_losses = 0;
  simulation::faulty_mesh mesh{{.seed = 20261122,
                                .disk_of =
                                    [this](simulation::host_id host) {
                                      disks.push_back(
                                          std::make_shared<simulation::faulty_disk>(host));
                                      (void)disks.back()->create_directories(".");
                                      return disks.back();
                                    },
                                .power_lost = [this](simulation::host_id) { ++power_losses; },
       .note = {}},
                               hosts};
  std::unique_ptr<simulation::job_client> client;
};

} // namespace

TEST_CASE_FIXTURE(small_mesh, "a process that dies is missed within two heartbeats, and comes back as new") {
  CHECK(members() == 2);
  mesh.crash(1, false);
  run_for(50ms); // it may be the link alone
  CHECK(members() == 2);
  run_for(150ms);
  CHECK(members() == 1);
  CHECK(power_losses == 0);
  mesh.restart(1);
  run_for(1s);
  CHECK(members() == 2);
  CHECK(mesh.faults().empty());
}

TEST_CASE_FIXTURE(small_mesh, "a machine that loses its power is missed when it stays silent") {
  mesh.crash(1, true);
  CHECK(power_losses == 1);
  run_for(500ms);
  CHECK(members() == 2);
  run_for(1s);
  CHECK(members() == 1);
}

TEST_CASE_FIXTURE(small_mesh, "a short hang is not missed, a long one ends the membership") {
  mesh.hang(1);
  run_for(500ms);
  CHECK(members() == 2);
  mesh.resume(1);
  run_for(2s);
  CHECK(members() == 2);
  mesh.hang(1);
  run_for(2s);
  CHECK(members() == 1);
  mesh.resume(1);
  run_for(2s);
  CHECK(members() == 2);
}

TEST_CASE_FIXTURE(small_mesh, "nodes find a coordinator that was restarted") {
  mesh.crash(0, true);
  run_for(200ms);
  mesh.restart(0);
  run_for(3s);
  // The first word of the client to the machine that is back ends its old link.
  (void)client->ask_status();
  run_for(100ms);
  CHECK_FALSE(client->linked());
  client->dial({.host = "127.0.0.1", .port = 7700});
  run_for(100ms);
  CHECK(members() == 2);
}

TEST_CASE_FIXTURE(small_mesh, "nothing is left of a node that has died") {
  mesh.crash(1, false);
  CHECK(mesh.faults().empty());
  mesh.stop();
  CHECK(mesh.faults().empty());
  auto host = hosts.take();
  CHECK(host->runnable() == 0);
  CHECK_FALSE(host->next_timer());
  CHECK(hosts.give_back(std::move(host)));
}
