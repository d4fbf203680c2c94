/// Jobs with snapshots (job.svrg_epochs) against SVRG in float64, one example after another.

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

constexpr std::uint64_t data_seed = 20261122;
constexpr std::size_t examples = 210; // the last step of an epoch is shorter
constexpr std::uint32_t features = 6;
constexpr std::uint32_t classes = 3;
constexpr double l2 = 0.1;

learning::dataset data() {
  return testing::random_dense(data_seed, examples, features, classes);
}

test_job svrg_job() {
  return {.svrg_epochs = 2,
          .epochs = 8, // snapshots in epochs 0, 3 and 6
          .format = "csv",
          .train = "train.csv",
          .test = "",
          .l2 = l2,
          .learning_rate = 0.3};
}

void begin(virtual_mesh& mesh, const test_job& job, std::size_t servers, std::size_t workers) {
  mesh.add_roles(servers, workers, 1);
  REQUIRE(mesh.disk().write("train.csv", testing::csv_text(data())));
  mesh.submit(job.text());
}

store::model_content train(const test_job& job, std::size_t servers, std::size_t workers) {
  virtual_mesh mesh;
  begin(mesh, job, servers, workers);
  const auto outcome = mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text << mesh.refusal().text);
  CHECK(outcome.examples_done == job.epochs * examples);
  return mesh.read_model("model.gmm");
}

/// The mean gradient of some examples, with that of the l2 term (of the weights, not of the bias).
std::vector<double> mean_gradient(const simulation::oracle& at,
                                  const std::vector<std::uint32_t>& chosen) {
  const auto all = data();
  std::vector<double> sum(at.size());
  for (const auto i : chosen) {
    const auto one = at.gradient(all.view().slice(i, i + 1));
    for (std::size_t p = 0; p < sum.size(); ++p)
      sum[p] += one[p] / static_cast<double>(chosen.size());
  }
  for (std::size_t p = 0; p < features * classes; ++p)
    sum[p] += l2 * at.parameters()[p];
  return sum;
}

std::vector<double> sequential_svrg(const test_job& job) {
  simulation::oracle here({learning::layout::dense, features, classes}, {});
  auto there = here;
  std::vector<double> mu;
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < examples; ++i)
    all.push_back(i);
  data_server::batch_schedule schedule({.examples = examples,
                                        .batch = static_cast<std::uint32_t>(job.batch_size),
                                        .pieces = 1,
                                        .seed = 7});
  for (std::uint64_t step = 0; step < job.epochs * schedule.steps_per_epoch(); ++step) {
    const auto chosen = schedule.choose(step, 0, 1);
    if (chosen.epoch % (job.svrg_epochs + 1) == 0) {
      there = here;
      mu = mean_gradient(there, all);
      continue;
    }
    const auto direction = mean_gradient(here, chosen.examples);
    const auto before = mean_gradient(there, chosen.examples);
    for (std::size_t p = 0; p < mu.size(); ++p)
      here.parameters()[p] -= job.learning_rate * (direction[p] - before[p] + mu[p]);
  }
  return here.parameters();
}

} // namespace

TEST_CASE("snapshots take a mesh where sequential SVRG goes") {
  for (const std::string deterministic : {"true", "false"})
    for (const std::size_t workers : {1, 3}) {
      CAPTURE(deterministic);
      CAPTURE(workers);
      auto job = svrg_job();
      job.deterministic = deterministic;
      const auto model = train(job, 2, workers);
      CHECK(simulation::relative_error({model.dense.begin(), model.dense.end()},
                                       sequential_svrg(job)) < 1e-5);
    }
}

TEST_CASE("snapshots give the same bits from any number of workers and shards") {
  const auto one = train(svrg_job(), 1, 1).dense;
  CHECK(train(svrg_job(), 2, 2).dense == one);
  CHECK(train(svrg_job(), 5, 4).dense == one);
}

TEST_CASE("an epoch that takes a snapshot changes no parameter") {
  auto job = svrg_job();
  job.epochs = 3;
  const auto before = train(job, 2, 2).dense;
  job.epochs = 4;
  CHECK(train(job, 2, 2).dense == before);
  job.epochs = 5;
  CHECK(train(job, 2, 2).dense != before);
}

TEST_CASE("a job with snapshots goes on as it is when somebody wants to change it") {
  virtual_mesh mesh;
  auto job = svrg_job();
  job.epochs = 20;
  begin(mesh, job, 2, 2);
  REQUIRE(mesh.run_until([&] { return mesh.outcome().phase == schema::JobPhase::TRAINING; },
                         std::chrono::seconds(10)));
  CHECK_FALSE(mesh.change({"job.strategy=bsp"}));
  CHECK(mesh.refusal().code == errc::invalid_config);
  CHECK(mesh.refusal().text == "a job with snapshots (job.svrg_epochs = 2) cannot be changed while "
                               "it runs; a change would lose the latest of them");
  CHECK(mesh.finish().phase == schema::JobPhase::DONE);
}
