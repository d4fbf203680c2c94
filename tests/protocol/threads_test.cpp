/// Jobs with job.threads above 1, in virtual time: the team of threads is a sequential one, so that
/// the mesh must land where sequential SGD does.

#include "actors/data_server/batch_schedule.hpp"
#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"
#include "tools/simulation/oracle.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using testing::test_job;
using testing::virtual_mesh;

namespace {

constexpr std::uint32_t features = 300;
constexpr std::uint32_t classes = 4;

learning::dataset examples(std::size_t count) {
  return testing::random_sparse(20261122, count, features, classes, 8, false);
}

test_job job_with_threads() {
  return {.deterministic = "false",
          .threads = 2,
          .epochs = 3,
          .features = features,
          .classes = classes,
          .learning_rate = 4};
}

testing::job_outcome run(virtual_mesh& mesh, const test_job& job, std::size_t workers) {
  mesh.add_roles(2, workers, 1);
  REQUIRE(mesh.disk().write("train.libsvm", testing::libsvm_text(examples(640))));
  REQUIRE(mesh.disk().write("test.libsvm", testing::libsvm_text(examples(200))));
  mesh.submit(job.text());
  const auto outcome = mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text << mesh.refusal().text);
  return outcome;
}

} // namespace

TEST_CASE("threads of a lone worker take the servers where sequential SGD goes") {
  const auto data = examples(640);
  for (const std::string strategy : {"bsp", "async", "ssp"}) {
    CAPTURE(strategy);
    auto job = job_with_threads();
    job.strategy = strategy;
    job.staleness = 0; // a later batch knows all of an earlier one
    // Asynchronously a batch is pulled before the one before it is pushed.
    if (strategy == "async") {
      job.batch_size = 640;
      job.epochs = 1;
    }
    virtual_mesh mesh;
    (void)run(mesh, job, 1);

    simulation::oracle oracle(data.shape, {}, {.kind = "sgd", .learning_rate = 4});
    data_server::batch_schedule schedule({.examples = 640,
                                          .batch = static_cast<std::uint32_t>(job.batch_size),
                                          .pieces = 1,
                                          .seed = 7});
    for (std::uint64_t step = 0; step < job.epochs * schedule.steps_per_epoch(); ++step)
      for (const auto i : schedule.choose(step, 0, 1).examples)
        oracle.step(data.view().slice(i, i + 1), 1.0 / static_cast<double>(job.batch_size));
    CHECK(simulation::relative_error(simulation::flat_parameters(mesh.read_model("model.gmm")),
                                     oracle.parameters()) < 1e-4);
  }
}

TEST_CASE("threads train as well as batches, with any strategy and several workers") {
  for (const std::string strategy : {"bsp", "ssp", "bounded-delay", "async"}) {
    CAPTURE(strategy);
    auto job = job_with_threads();
    job.strategy = strategy;
    job.epochs = 20;
    job.learning_rate = 2;
    const auto correct = [&](std::size_t threads) {
      job.threads = threads;
      virtual_mesh mesh;
      const auto outcome = run(mesh, job, 3);
      CHECK(outcome.examples_done == 20 * 640);
      return outcome.test_correct;
    };
    CHECK(correct(2) + 4 >= correct(1));
  }
}
