/// Whole jobs on meshes in virtual time: what comes out of training does not depend on how the mesh
/// is cut, and is what a sequential float64 program computes.

#include "actors/data_server/batch_schedule.hpp"
#include "actors/learning/initialize.hpp"
#include "actors/parameters/optimizer.hpp"
#include "config/rule_names.hpp"
#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"
#include "tools/simulation/oracle.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

using namespace gradmesh;
using testing::test_job;
using testing::virtual_mesh;

namespace {

constexpr std::uint64_t data_seed = 20261121;

learning::dataset sparse_examples(std::size_t count) {
  return testing::random_sparse(data_seed, count, 300, 4, 8, false);
}

void put_sparse_data(virtual_mesh& mesh, std::size_t train = 1000) {
  REQUIRE(mesh.disk().write("train.libsvm", testing::libsvm_text(sparse_examples(train))));
  REQUIRE(mesh.disk().write("test.libsvm", testing::libsvm_text(sparse_examples(200))));
}

test_job sparse_job() {
  return {.features = 300, .classes = 4};
}

test_job dense_job() {
  return {.format = "csv",
          .train = "train.csv",
          .test = "",
          .features = 20,
          .classes = 3,
          .model = "mlp",
          .hidden = "16,8"};
}

/// The hash of the parameters that a mesh of this size trains.
std::string hash_of(const test_job& job, std::size_t servers, std::size_t workers,
                    std::size_t data_servers = 1) {
  virtual_mesh mesh;
  mesh.add_roles(servers, workers, data_servers);
  put_sparse_data(mesh);
  REQUIRE(mesh.disk().write("train.csv",
                            testing::csv_text(testing::random_dense(data_seed, 500, 20, 3))));
  mesh.submit(job.text());
  const auto outcome = mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text << mesh.refusal().text);
  REQUIRE(outcome.parameters_sha256.size() == 64);
  return outcome.parameters_sha256;
}

/// How the oracle's steps differ from the plain ones of its rule.
struct oracle_changes {
  std::function<double(std::size_t)> rate = {}; // of a step
  std::string bias_rule = {};
};

/// Trains the same steps one after the other in float64.
std::vector<double> oracle_parameters(const learning::dataset& data, const test_job& job,
                                      const std::vector<std::uint32_t>& hidden,
                                      const std::vector<double>& initial,
                                      const oracle_changes& changes = {}) {
  simulation::oracle oracle(
      data.shape, hidden,
      {.kind = job.optimizer, .learning_rate = static_cast<float>(job.learning_rate)});
  if (!initial.empty()) oracle.parameters() = initial;
  if (!changes.bias_rule.empty()) oracle.set_bias_rule(changes.bias_rule);
  data_server::batch_schedule schedule({.examples = data.size(),
                                        .batch = static_cast<std::uint32_t>(job.batch_size),
                                        .pieces = 1,
                                        .seed = 7});
  for (std::size_t step = 0; step < job.steps; ++step) {
    const auto chosen = schedule.choose(step, 0, 1);
    learning::dataset batch{
        .shape = data.shape, .labels = {}, .offsets = {}, .indices = {}, .values = {}};
    batch.offsets.push_back(0);
    for (const auto i : chosen.examples) {
      const auto one = data.view().slice(i, i + 1);
      batch.labels.push_back(one.labels[0]);
      if (data.shape.kind == learning::layout::sparse) {
        for (auto e = one.offsets[0]; e < one.offsets[1]; ++e) {
          batch.indices.push_back(one.indices[e]);
          batch.values.push_back(one.values[e]);
        }
        batch.offsets.push_back(static_cast<std::uint32_t>(batch.indices.size()));
      } else {
        batch.values.insert(batch.values.end(), one.values.begin(), one.values.end());
      }
    }
    if (data.shape.kind == learning::layout::dense) batch.offsets.clear();
    const double scale = 1.0 / chosen.step_examples;
    if (changes.rate)
      oracle.step(batch.view(), scale, changes.rate(step));
    else
      oracle.step(batch.view(), scale);
  }
  return oracle.parameters();
}

} // namespace

TEST_CASE("a job trains, is evaluated and saved") {
  virtual_mesh mesh;
  mesh.add_roles(2, 2, 1);
  put_sparse_data(mesh);
  auto job = sparse_job();
  job.epochs = 20;
  job.learning_rate = 2;
  mesh.submit(job.text());
  const auto outcome = mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
  CHECK(outcome.examples_done == 20 * 1000);
  CHECK(outcome.test_done == 200);
  // Far above chance (50): the labels follow a linear model, with noise.
  CHECK(outcome.test_correct > 160);
  CHECK(outcome.model_file == "model.gmm");
  const auto model = mesh.read_model("model.gmm");
  CHECK(model.shape.features == 300);
  CHECK(model.dense.size() == 4);
}

TEST_CASE("deterministic bsp gives the same bits from 1, 2 and 4 workers") {
  for (const auto& optimizer : simulation::rule_names) {
    CAPTURE(optimizer);
    auto job = sparse_job();
    job.optimizer = optimizer;
    job.l2 = 0.01;
    const auto one = hash_of(job, 2, 1);
    CHECK(hash_of(job, 2, 1) == one);
    CHECK(hash_of(job, 2, 2) == one);
    CHECK(hash_of(job, 2, 4) == one);
  }
  const auto one = hash_of(dense_job(), 2, 1);
  CHECK(hash_of(dense_job(), 2, 2) == one);
  CHECK(hash_of(dense_job(), 2, 4) == one);
}

TEST_CASE("bsp gives the same bits from any number of shards") {
  for (const auto& job : {sparse_job(), dense_job()}) {
    const auto one = hash_of(job, 1, 2);
    CHECK(hash_of(job, 2, 2) == one);
    CHECK(hash_of(job, 3, 2) == one);
    CHECK(hash_of(job, 7, 2) == one);
  }
}

TEST_CASE("bsp gives the same bits whoever hands out the data") {
  auto job = sparse_job();
  const auto one = hash_of(job, 2, 3, 1);
  CHECK(hash_of(job, 2, 3, 2) == one);
  CHECK(hash_of(job, 2, 3, 5) == one);
  job.served_by = "partitioned";
  CHECK(hash_of(job, 2, 3, 0) == one);
}

TEST_CASE("sgld and rules of tables give the same bits from any number of workers and shards") {
  auto job = dense_job();
  for (const std::string lines : {"type = sgld", "tables = layer1.weights:sgld,output.bias:adam"}) {
    CAPTURE(lines);
    if (lines.starts_with("type"))
      job.optimizer = "sgld";
    else
      job.optimizer_lines = lines + "\n";
    job.learning_rate = 1e-4;
    const auto one = hash_of(job, 1, 1);
    CHECK(hash_of(job, 2, 2) == one);
    CHECK(hash_of(job, 7, 4) == one);
    job.optimizer = "sgd";
  }
}

TEST_CASE("another seed gives other bits") {
  const auto job = sparse_job();
  auto other = job;
  other.learning_rate = 0.2;
  CHECK(hash_of(job, 1, 1) != hash_of(other, 1, 1));
}

TEST_CASE("200 steps of deterministic bsp are those of a sequential float64 program") {
  for (const auto& optimizer : simulation::rule_names) {
    for (const std::size_t workers : {1, 2, 4}) {
      CAPTURE(optimizer);
      CAPTURE(workers);
      auto job = sparse_job();
      job.optimizer = optimizer;
      job.learning_rate = optimizer == "rmsprop" || optimizer.starts_with("adam") ? 0.01 : 0.1;
      job.epochs = 100;
      job.steps = 200;
      virtual_mesh mesh;
      mesh.add_roles(2, workers, 1);
      put_sparse_data(mesh);
      mesh.submit(job.text());
      REQUIRE(mesh.finish().phase == schema::JobPhase::DONE);
      const auto trained = simulation::flat_parameters(mesh.read_model("model.gmm"));
      const auto expected = oracle_parameters(sparse_examples(1000), job, {}, {});
      CHECK(simulation::relative_error(trained, expected) < 1e-5);
    }
  }
}

TEST_CASE("200 steps with a schedule are those of a sequential float64 program") {
  struct combination {
    std::string rule;
    std::string lines;
    std::function<double(double)> rate; // of step t, from 0
  };
  const double pi = std::acos(-1.0);
  const std::vector<combination> combinations{
      {"momentum", "schedule = step\ndecay_steps = 30\ndecay_factor = 0.5\n",
       [](double t) { return 0.1 * std::pow(0.5, std::floor(t / 30)); }},
      {"nesterov", "schedule = cosine\nmin_rate = 0.02\n",
       [=](double t) { return 0.02 + 0.04 * (1 + std::cos(pi * t / 200)); }},
      {"ftrl", "schedule = inverse-sqrt\ndecay_steps = 1\n",
       [](double t) { return 0.1 / std::sqrt(t + 1); }},
      {"sgd", "warmup_steps = 50\n", [](double t) { return 0.1 * std::min(1.0, (t + 1) / 50); }},
      {"adagrad", "warmup_steps = 40\nschedule = cosine\n", [=](double t) {
         return t < 40 ? 0.1 * (t + 1) / 40 : 0.05 * (1 + std::cos(pi * (t - 40) / 160));
       }}};
  for (const auto& [rule, lines, rate] : combinations) {
    CAPTURE(rule);
    CAPTURE(lines);
    auto job = sparse_job();
    job.optimizer = rule;
    job.optimizer_lines = lines;
    job.epochs = 100;
    job.steps = 200;
    virtual_mesh mesh;
    mesh.add_roles(2, 2, 1);
    put_sparse_data(mesh);
    mesh.submit(job.text());
    REQUIRE(mesh.finish().phase == schema::JobPhase::DONE);
    const auto trained = simulation::flat_parameters(mesh.read_model("model.gmm"));
    const auto by_step = [&](std::size_t step) { return rate(static_cast<double>(step)); };
    CHECK(simulation::relative_error(trained, oracle_parameters(sparse_examples(1000), job, {}, {},
                                                                {.rate = by_step})) < 1e-5);
  }
}

TEST_CASE("200 steps with a rule for the bias are those of a sequential float64 program") {
  auto job = sparse_job();
  job.optimizer = "adagrad";
  job.optimizer_lines = "tables = bias:momentum\n";
  job.epochs = 100;
  job.steps = 200;
  virtual_mesh mesh;
  mesh.add_roles(2, 2, 1);
  put_sparse_data(mesh);
  mesh.submit(job.text());
  REQUIRE(mesh.finish().phase == schema::JobPhase::DONE);
  const auto trained = simulation::flat_parameters(mesh.read_model("model.gmm"));
  const auto data = sparse_examples(1000);
  CHECK(simulation::relative_error(
            trained, oracle_parameters(data, job, {}, {}, {.bias_rule = "momentum"})) < 1e-5);
  CHECK(simulation::relative_error(trained, oracle_parameters(data, job, {}, {})) > 1e-3);
}

TEST_CASE("job files know the update rules that shards know") {
  std::string names;
  for (const auto& name : config::built_in_rules())
    names.append(names.empty() ? "" : ", ").append(name);
  CHECK(names == parameters::built_in_rule_names());
}

TEST_CASE("an unknown table or an unknown rule ends a job before it starts") {
  const auto failure = [](const std::string& lines, const std::string& optimizer = "sgd") {
    virtual_mesh mesh;
    mesh.add_roles(2, 1, 1);
    put_sparse_data(mesh);
    auto job = sparse_job();
    job.optimizer = optimizer;
    job.optimizer_lines = lines;
    mesh.submit(job.text());
    const auto outcome = mesh.finish();
    CHECK(outcome.phase == schema::JobPhase::FAILED);
    CHECK(outcome.examples_done == 0);
    return outcome.text;
  };
  CHECK(failure("tables = weight:adam\n") ==
        "optimizer.tables gives 'weight' the rule adam, but the model has no such table; it has "
        "weights, bias");
  CHECK(failure("", "acme/rule")
            .find("'server-0': this server does not know the update rule "
                  "'acme/rule'; it has sgd, momentum, ") == 0);
  CHECK(failure("", "sgld").find("the update rule sgld is for dense tables, but 'weights'") !=
        std::string::npos);
}

TEST_CASE("200 steps of an mlp are those of a sequential float64 program") {
  auto job = dense_job();
  job.epochs = 100;
  job.steps = 200;
  const auto data = testing::random_dense(data_seed, 500, 20, 3);
  virtual_mesh mesh;
  mesh.add_roles(3, 2, 1);
  REQUIRE(mesh.disk().write("train.csv", testing::csv_text(data)));
  mesh.submit(job.text());
  REQUIRE(mesh.finish().phase == schema::JobPhase::DONE);
  const auto model = mesh.read_model("model.gmm");
  std::vector<float> initial(model.dense.size());
  learning::fill_initial_dense(model.tables, 7, 0, initial);
  const auto expected = oracle_parameters(data, job, {16, 8}, {initial.begin(), initial.end()});
  CHECK(simulation::relative_error(simulation::flat_parameters(model), expected) < 1e-5);
}

TEST_CASE("ssp with staleness 0 gives the bits of bsp") {
  for (auto job : {sparse_job(), dense_job()}) {
    job.deterministic = "false";
    const auto bsp = hash_of(job, 2, 3);
    job.strategy = "ssp";
    job.staleness = 0;
    CHECK(hash_of(job, 2, 3) == bsp);
    job.staleness = 1;
    CHECK(hash_of(job, 2, 3) != bsp);
  }
}

TEST_CASE("bounded delay without delay gives the bits of one worker that takes the parts in turn") {
  auto job = sparse_job();
  job.deterministic = "false";
  job.strategy = "bounded-delay";
  job.delay = 0;
  const auto three = hash_of(job, 2, 3);
  CHECK(hash_of(job, 1, 3) == three);
  job.delay = 2;
  CHECK(hash_of(job, 2, 3) != three);
}

TEST_CASE("strategies that apply pushes as they come train as well as bsp") {
  const auto correct = [](const std::string& strategy) {
    virtual_mesh mesh;
    mesh.add_roles(2, 3, 2);
    put_sparse_data(mesh);
    auto job = sparse_job();
    job.strategy = strategy;
    job.deterministic = "false";
    job.epochs = 20;
    job.learning_rate = 2;
    mesh.submit(job.text());
    const auto outcome = mesh.finish();
    REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
    CHECK(outcome.examples_done == 20 * 1000);
    CHECK((outcome.staleness_max > 0) == (strategy != "bsp"));
    return outcome.test_correct;
  };
  const auto bsp = correct("bsp");
  for (const std::string strategy : {"ssp", "bounded-delay", "async"})
    CHECK(correct(strategy) + 4 >= bsp);
}

TEST_CASE("with a backup worker every example is computed or skipped, and counted") {
  virtual_mesh mesh;
  mesh.add_roles(2, 3, 1);
  put_sparse_data(mesh, 997);
  auto job = sparse_job();
  job.deterministic = "false";
  job.backup_workers = 1;
  job.epochs = 20;
  job.learning_rate = 2;
  mesh.submit(job.text());
  const auto outcome = mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
  CHECK(outcome.examples_done == 20 * 997);
  CHECK(outcome.test_correct > 160);
}

TEST_CASE("every example is handed out once in each epoch, to any number of workers") {
  for (const std::string served_by : {"data-servers", "partitioned"})
    for (const std::string strategy : {"bsp", "ssp", "bounded-delay", "async"})
      for (const std::size_t workers : {1, 3, 5}) {
        CAPTURE(served_by);
        CAPTURE(strategy);
        CAPTURE(workers);
        virtual_mesh mesh;
        mesh.add_roles(1, workers, 2);
        put_sparse_data(mesh, 997);
        auto job = sparse_job();
        job.strategy = strategy;
        job.deterministic = "false";
        job.served_by = served_by;
        job.epochs = 3;
        mesh.submit(job.text());
        REQUIRE(mesh.finish().phase == schema::JobPhase::DONE);
        CHECK(mesh.outcome().examples_done == 3 * 997);
        CHECK(mesh.outcome().test_done == 200);
      }
}
