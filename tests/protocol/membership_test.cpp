/// Who is in the mesh, and what happens to a job when somebody is not.

#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace std::chrono_literals;
using testing::test_job;
using testing::virtual_mesh;

namespace {

void put_data(virtual_mesh& mesh) {
  const auto data = testing::random_sparse(1, 1000, 50, 3, 5, true);
  REQUIRE(mesh.disk().write("train.libsvm", testing::libsvm_text(data)));
}

test_job long_job() {
  return {.epochs = 100000, .test = ""};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Starts a job that goes on until something stops it.
void start_training(virtual_mesh& mesh) {
  put_data(mesh);
  mesh.submit(long_job().text());
  REQUIRE(mesh.run_until([&] { return mesh.outcome().phase == schema::JobPhase::TRAINING; }, 10s));
}

} // namespace

TEST_CASE("nodes join, and the coordinator counts them") {
  virtual_mesh mesh;
  mesh.add_roles(3, 2, 1);
  CHECK(mesh.members() == 7);
}

TEST_CASE("a node without a coordinator says whom it tried, for how long, and what to do") {
  virtual_mesh mesh;
  mesh.add_node("[node]\nroles = worker\ncoordinator = 127.0.0.1:7799\njoin_timeout = 3\n");
  REQUIRE(mesh.run_until([&] { return bool(mesh.end_of(0)); }, 10s));
  CHECK(mesh.end_of(0).code == errc::unreachable);
  CHECK(contains(mesh.end_of(0).text, "127.0.0.1:7799"));
  CHECK(contains(mesh.end_of(0).text, "after 3 s"));
  CHECK(contains(mesh.end_of(0).text, "node.join_timeout"));
}

TEST_CASE("a node that starts before its coordinator joins when it comes") {
  virtual_mesh mesh;
  mesh.add_node("[node]\nroles = worker\ncoordinator = 127.0.0.1:7700\n");
  CHECK_FALSE(mesh.run_until([&] { return bool(mesh.end_of(0)); }, 5s));
  mesh.add_roles(0, 0, 0);
  CHECK(mesh.run_until([&] { return mesh.members() == 2; }, 2s));
}

TEST_CASE("a node of another cluster is told so at once") {
  virtual_mesh mesh;
  mesh.add_roles(0, 0, 0);
  mesh.add_node("[node]\nroles = worker\ncoordinator = 127.0.0.1:7700\ncluster = other\n");
  REQUIRE(mesh.run_until([&] { return bool(mesh.end_of(1)); }, 1s));
  CHECK(mesh.end_of(1).code == errc::incompatible_peer);
  CHECK(contains(mesh.end_of(1).text, "other"));
}

TEST_CASE("a node that listens to other machines has to be allowed to") {
  const auto loaded =
      config::parse_node("[node]\nroles = coordinator\nlisten = 0.0.0.0:7700\n", "node.ini");
  // Refused by the configuration or at the start, but never open by accident.
  CHECK_FALSE(loaded);
}

TEST_CASE("a job waits for members and says for whom, until its time is over") {
  virtual_mesh mesh;
  mesh.add_roles(1, 0, 1);
  put_data(mesh);
  mesh.submit(long_job().text(), 20s);
  mesh.run_until([] { return false; }, 10s);
  CHECK(mesh.outcome().phase == schema::JobPhase::WAITING);
  CHECK(contains(mesh.outcome().text, "1 more worker"));
  const auto outcome = mesh.finish();
  CHECK(outcome.phase == schema::JobPhase::FAILED);
  CHECK(contains(outcome.text, "after 20 s"));
}

TEST_CASE("a job that waits starts when the missing worker comes") {
  virtual_mesh mesh;
  mesh.add_roles(1, 0, 1);
  put_data(mesh);
  mesh.submit(test_job{.test = ""}.text(), 20s);
  mesh.run_until([] { return false; }, 5s);
  mesh.add_node("[node]\nroles = worker\ncoordinator = 127.0.0.1:7700\n");
  CHECK(mesh.finish().phase == schema::JobPhase::DONE);
}

TEST_CASE("a second job is refused while one runs, and accepted after it") {
  virtual_mesh mesh;
  mesh.add_roles(1, 1, 1);
  start_training(mesh);
  mesh.submit(long_job().text());
  CHECK(mesh.refusal().code == errc::refused);
  CHECK(contains(mesh.refusal().text, "job 1 is running"));
  mesh.cancel(1);
  CHECK(mesh.finish().phase == schema::JobPhase::CANCELLED);
  mesh.submit(test_job{.test = ""}.text());
  CHECK(mesh.finish().phase == schema::JobPhase::DONE);
}

TEST_CASE("the loss of a member that takes part fails the job with its name") {
  // Order of add_roles: coordinator, server, data server, worker.
  const char* names[] = {"server-0", "data-server-0", "worker-0"};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string name = names[i];
    CAPTURE(name);
    virtual_mesh mesh;
    mesh.add_roles(1, 1, 1);
    start_training(mesh);
    mesh.cut(mesh.node_at(i + 1));
    const auto outcome = mesh.finish();
    CHECK(outcome.phase == schema::JobPhase::FAILED);
    CHECK(contains(outcome.text, name));
    CHECK(outcome.failed_node == name);
  }
}

TEST_CASE("a restarted coordinator's first job is not taken for the old one") {
  virtual_mesh mesh;
  // Steps take time, for they go on until the new coordinator is there.
  mesh.add_roles(1, 1, 1, "[emulation]\nstep_time_ms = 10\n");
  start_training(mesh);
  mesh.run_until([] { return false; }, 300ms); // some steps are applied
  mesh.cut(mesh.node_at(0));
  mesh.stop_node(0);
  mesh.forget_client();
  mesh.add_node("[node]\nname = coordinator\nroles = coordinator\nlisten = 127.0.0.1:7700\n");
  REQUIRE(mesh.run_until([&] { return mesh.members() == 4; }, 20s));
  mesh.submit(test_job{.test = ""}.text());
  REQUIRE(mesh.finish().phase == schema::JobPhase::DONE);
  const auto again = mesh.outcome().parameters_sha256;

  virtual_mesh fresh;
  fresh.add_roles(1, 1, 1);
  put_data(fresh);
  fresh.submit(test_job{.test = ""}.text());
  REQUIRE(fresh.finish().phase == schema::JobPhase::DONE);
  CHECK(again == fresh.outcome().parameters_sha256);
}

TEST_CASE("a wrong job file is refused with every fault and its line") {
  virtual_mesh mesh;
  mesh.add_roles(1, 1, 1);
  mesh.submit("[job]\nepochs = many\n[data]\nfromat = libsvm\n");
  CHECK(mesh.refusal().code == errc::invalid_config);
  CHECK(contains(mesh.refusal().text, "2"));
  CHECK(contains(mesh.refusal().text, "job.epochs"));
  CHECK(contains(mesh.refusal().text, "did you mean 'data.format'"));
}

TEST_CASE("data that cannot be read fails the job with file, line and reason") {
  struct bad_data {
    std::string text;
    std::string expected;
  };
  for (const auto& bad :
       {bad_data{"1 1:1\n0 2:nan\n", "train.libsvm:2"},
        bad_data{"1 1:1\n0 2:x\n", "train.libsvm:2"}, bad_data{"1 1:1\n0 99:1\n", "train.libsvm:2"},
        bad_data{"", "train.libsvm: has no examples"}}) {
    CAPTURE(bad.text);
    virtual_mesh mesh;
    mesh.add_roles(1, 1, 1);
    REQUIRE(mesh.disk().write("train.libsvm", bad.text));
    auto job = long_job();
    job.features = 50;
    mesh.submit(job.text());
    const auto outcome = mesh.finish();
    CHECK(outcome.phase == schema::JobPhase::FAILED);
    CHECK_MESSAGE(contains(outcome.text, bad.expected), outcome.text);
    CHECK(outcome.failed_node == "data-server-0");
  }
}

TEST_CASE("a missing data file fails the job with its name") {
  virtual_mesh mesh;
  mesh.add_roles(1, 1, 1);
  mesh.submit(long_job().text());
  CHECK(mesh.finish().phase == schema::JobPhase::FAILED);
  CHECK(contains(mesh.outcome().text, "train.libsvm"));
}

TEST_CASE("more workers than micro-batches fail a deterministic job before it starts") {
  virtual_mesh mesh;
  mesh.add_roles(1, 5, 1);
  put_data(mesh);
  mesh.submit(long_job().text());
  CHECK(mesh.finish().phase == schema::JobPhase::FAILED);
  CHECK(contains(mesh.outcome().text, "job.micro_batches is 4"));
}
