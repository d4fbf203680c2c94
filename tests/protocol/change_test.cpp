/// Changing how a job keeps in step while it runs.

#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace std::chrono_literals;
using testing::test_job;
using testing::virtual_mesh;

namespace {

constexpr std::size_t examples = 997;

/// A mesh whose job has begun to train.
struct training_mesh {
  explicit training_mesh(test_job job = {.deterministic = "false", .epochs = 20}) {
    mesh.add_roles(2, 3, 2);
    const auto data = testing::random_sparse(1, examples, 300, 4, 8, false);
    REQUIRE(mesh.disk().write("train.libsvm", testing::libsvm_text(data)));
    job.test = "";
    mesh.submit(job.text());
    REQUIRE(
        mesh.run_until([&] { return mesh.outcome().phase == schema::JobPhase::TRAINING; }, 10s));
    mesh.handle(300);
  }
  virtual_mesh mesh;
};

} // namespace

TEST_CASE("a job goes on with another strategy at the end of an epoch and loses no example") {
  for (const std::string from : {"bsp", "ssp", "async"})
    for (const std::string to : {"bsp", "ssp", "bounded-delay", "async"}) {
      CAPTURE(from);
      CAPTURE(to);
      training_mesh t({.strategy = from, .deterministic = "false", .epochs = 20});
      const auto epoch = t.mesh.change({"job.strategy=" + to, "job.staleness=2"});
      REQUIRE_MESSAGE(epoch, t.mesh.refusal().text);
      CHECK(*epoch > 0);
      CHECK(*epoch < 20);
      const auto outcome = t.mesh.finish();
      REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
      CHECK(outcome.strategy == to);
      CHECK(outcome.examples_done == 20 * examples);
    }
}

TEST_CASE("a change that changes nothing changes no bit") {
  const test_job job{.deterministic = "true", .epochs = 20};
  training_mesh undisturbed(job);
  const auto expected = undisturbed.mesh.finish().parameters_sha256;
  training_mesh changed(job);
  REQUIRE(changed.mesh.change({"job.strategy=bsp"}));
  const auto outcome = changed.mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
  CHECK(outcome.parameters_sha256 == expected);
}

TEST_CASE("a job changes as often as it is told to, but not twice at once") {
  // Epochs that are long against what happens until a change is answered.
  training_mesh t({.deterministic = "false", .epochs = 20, .batch_size = 8});
  REQUIRE(t.mesh.change({"job.strategy=async"}));
  CHECK(t.mesh.outcome().strategy == "bsp");
  CHECK_FALSE(t.mesh.change({"job.strategy=ssp"}));
  CHECK(t.mesh.refusal().text.find("changes at the end of this epoch already") !=
        std::string::npos);
  REQUIRE(t.mesh.run_until([&] { return t.mesh.outcome().strategy == "async"; }, 10s));
  REQUIRE(
      t.mesh.run_until([&] { return t.mesh.outcome().phase == schema::JobPhase::TRAINING; }, 10s));
  REQUIRE_MESSAGE(t.mesh.change({"job.strategy=ssp"}), t.mesh.refusal().text);
  const auto outcome = t.mesh.finish();
  CHECK(outcome.strategy == "ssp");
  CHECK(outcome.examples_done == 20 * examples);
}

TEST_CASE("a change that makes no sense is refused, and the job goes on") {
  training_mesh t;
  for (const std::string option :
       {"job.epochs=3", "job.strategy=fast", "job.backup_workers=3", "job.staleness=-1", ""}) {
    CAPTURE(option);
    CHECK_FALSE(t.mesh.change({option}));
    CHECK(t.mesh.refusal().code == errc::invalid_config);
  }
  CHECK_FALSE(t.mesh.change({}));
  CHECK(t.mesh.finish().phase == schema::JobPhase::DONE);
}

TEST_CASE("in its last epoch a job is not changed any more, and ends") {
  training_mesh t({.deterministic = "false", .epochs = 1});
  CHECK_FALSE(t.mesh.change({"job.strategy=async"}));
  CHECK(t.mesh.refusal().text.find("last epoch") != std::string::npos);
  const auto outcome = t.mesh.finish();
  CHECK(outcome.phase == schema::JobPhase::DONE);
  CHECK(outcome.examples_done == examples);
}

TEST_CASE("without a job there is nothing to change") {
  training_mesh t;
  CHECK(t.mesh.finish().phase == schema::JobPhase::DONE);
  CHECK_FALSE(t.mesh.change({"job.strategy=async"}));
  CHECK(t.mesh.refusal().code == errc::refused);
}
