/// Links and workers that are made slow for experiments, to the millisecond of virtual time.

#include "actors/mesh/receive.hpp"
#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace gradmesh;
using testing::test_job;
using testing::virtual_mesh;

namespace {

constexpr std::size_t steps = 20;

/// The worker's progress after a job of one worker and one server.
struct measured {
  double active = 0;
  double compute = 0;
  double lease = 0;
  double pull = 0;
  double push = 0;
  double stalled = 0;
};

measured train(const std::string& emulation, const std::string& job_options,
               const std::string& strategy = "async", const std::string& optimizer = "sgd") {
  virtual_mesh mesh;
  mesh.add_roles(1, 1, 1, "[emulation]\n" + emulation);
  REQUIRE(mesh.disk().write("train.libsvm",
                            testing::libsvm_text(testing::random_sparse(1, 64, 50, 3, 5, true))));
  const test_job job{.strategy = strategy,
                     .deterministic = "false",
                     .epochs = steps,
                     .test = "",
                     .features = 50,
                     .classes = 3,
                     .optimizer = optimizer};
  mesh.submit(job.text() + job_options);
  const auto outcome = mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
  const auto worker = (**outcome.update).getWorkers()[0];
  CHECK(worker.getSteps() == steps);
  return {worker.getActiveSeconds(),
          worker.getComputeSeconds(),
          worker.getBusyLeaseSeconds(),
          worker.getBusyPullSeconds(),
          worker.getBusyPushSeconds(),
          worker.getStalledLeaseSeconds() + worker.getStalledPullSeconds() +
              worker.getStalledPushSeconds()};
}

/// The fast of two workers under bsp: 10 and 100 ms a step, links of 5 ms.
mesh::message<schema::JobUpdate> train_unevenly(const std::string& job_options) {
  virtual_mesh mesh;
  mesh.add_roles(1, 1, 1, "[emulation]\nlink_delay_ms = 5\nstep_time_ms = 10\n");
  mesh.add_node(virtual_mesh::node_file("worker", 1) +
                "[emulation]\nlink_delay_ms = 5\nstep_time_ms = 100\n");
  mesh.settle();
  REQUIRE(mesh.disk().write("train.libsvm",
                            testing::libsvm_text(testing::random_sparse(1, 64, 50, 3, 5, true))));
  const test_job job{
      .deterministic = "false", .epochs = steps, .test = "", .features = 50, .classes = 3};
  mesh.submit(job.text() + job_options);
  const auto outcome = mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
  return *outcome.update;
}

const std::string one_by_one = "[job]\noverlap = false\n";

doctest::Approx about(double milliseconds) {
  return doctest::Approx(milliseconds / 1000).epsilon(1e-6);
}

} // namespace

TEST_CASE("one after the other, a step takes what its stages take, and each is told") {
  const auto m = train("link_delay_ms = 5\nstep_time_ms = 30\n", one_by_one);
  CHECK(m.compute == about(steps * 30));
  // The last lease is answered that there are no more.
  CHECK(m.lease == about((steps + 1) * 10));
  CHECK(m.pull == about(steps * 10));
  CHECK(m.push == about(steps * 10));
  CHECK(m.active == about(steps * 60 + 10));
  CHECK(m.stalled == about(steps * 30 + 10));
}

TEST_CASE("with overlap a step takes as long as its longest stage") {
  const auto m = train("link_delay_ms = 5\nstep_time_ms = 30\n", "");
  CHECK(m.compute == about(steps * 30));
  // To begin with a lease and a pull, to end with a push.
  CHECK(m.active == about(steps * 30 + 30));
}

TEST_CASE("under ssp a worker does not wait until its own pushes are applied") {
  const auto m = train("link_delay_ms = 10\nstep_time_ms = 30\n", "", "ssp");
  CHECK(m.compute == about(steps * 30));
  CHECK(m.active == about(steps * 30 + 60));
  // Unless the shard alone knows what becomes of them.
  const auto waits = train("link_delay_ms = 10\nstep_time_ms = 30\n", "", "ssp", "momentum");
  CHECK(waits.active == about(steps * 50 + 40));
}

TEST_CASE("a slowdown multiplies a step's time, in the part of the steps that it is for") {
  CHECK(train("step_time_ms = 10\nslowdown = 2.5\n", "").compute == about(steps * 25));
  const auto part = train("step_time_ms = 10\nslowdown = 3\nslow_part = 0.5\n", "").compute;
  CHECK(part > 0.010 * steps * 1.3);
  CHECK(part < 0.010 * steps * 2.7);
}

TEST_CASE("what a shard keeps back for the strategy is not communication") {
  const auto update = train_unevenly(one_by_one);
  const auto fast = (*update).getWorkers()[0];
  // The first pull waits for nobody, each other for the slow worker: it computes 90 ms longer. (Of
  // the first step it has the end 20 ms earlier: there it did not wait for an acknowledgement and
  // a lease in between.)
  CHECK(fast.getHeldPullSeconds() == about((steps - 1) * 90 - 20));
  CHECK(fast.getBusyPullSeconds() == about(steps * 10));
}

TEST_CASE("what is kept back for two steps at once is counted once") {
  const auto update = train_unevenly("");
  const auto fast = (*update).getWorkers()[0];
  // The answer of each step; its request went while the one before was kept back.
  CHECK(fast.getBusyPullSeconds() > 0.005 * steps);
  CHECK(fast.getBusyPullSeconds() < 0.007 * steps);
  CHECK(fast.getHeldPullSeconds() + fast.getBusyPullSeconds() < fast.getActiveSeconds());
}

namespace {

/// Whether two shards acknowledge at least half of the steps before a third, a second late, answers
/// the first.
bool goes_on_beside_a_slow_shard(const std::string& emulation) {
  std::map<mesh::node_uuid, std::size_t> acknowledged;
  virtual_mesh mesh({.tap = [&](const mesh::node_uuid&, const mesh::frame_ptr& f) {
    if (f->header.kind == mesh::message_traits<schema::Pushed>::kind)
      (void)mesh::guarded([&] {
        acknowledged[f->header.from.uuid] +=
            (**mesh::message<schema::Pushed>::decode(f)).getParts().size();
        return result<void>();
      });
    return 1U;
  }});
  mesh.add_roles(2, 1, 1, "[emulation]\nstep_time_ms = 10\n" + emulation);
  mesh.add_node(virtual_mesh::node_file("server", 2) + "[emulation]\nlink_delay_ms = 1000\n");
  (void)mesh.run_until([] { return false; }, std::chrono::seconds(5)); // it joins late, too
  REQUIRE(mesh.disk().write("train.libsvm",
                            testing::libsvm_text(testing::random_sparse(1, 64, 50, 3, 5, true))));
  const test_job job{.strategy = "async",
                     .deterministic = "false",
                     .epochs = steps,
                     .test = "",
                     .features = 50,
                     .classes = 3};
  mesh.submit(job.text() + "[job]\nreplication = 1\n");
  REQUIRE(mesh.run_until([&] { return acknowledged.size() == 2; }, std::chrono::minutes(1)));
  return mesh.run_until(
      [&] {
        return std::ranges::all_of(acknowledged, [](const auto& of_shard) {
          return of_shard.second >= steps; // a push has a part or two
        });
      },
      std::chrono::milliseconds(900));
}

} // namespace

TEST_CASE("a load of pushes goes on at all shards but the one that answers late") {
  CHECK(goes_on_beside_a_slow_shard("pushes_ahead = 1000\n"));
  CHECK_FALSE(goes_on_beside_a_slow_shard("pushes_ahead = 7\n"));
  CHECK_FALSE(goes_on_beside_a_slow_shard(""));
}

TEST_CASE("a load of pushes pulls nothing") {
  CHECK(train("link_delay_ms = 5\nstep_time_ms = 30\n", "").pull > 0);
  CHECK(train("link_delay_ms = 5\nstep_time_ms = 30\npushes_ahead = 9\n", "").pull == 0);
}
