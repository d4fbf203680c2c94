#include "tools/chaos/counting_job.hpp"

#include "actors/env/memory_disk.hpp"
#include "tools/lab/counting.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::tools;
using namespace gradmesh::tools::chaos;

namespace {

config::job_config counting_job(const std::vector<std::string>& set = {}) {
  config::overrides over;
  over.command_line = set;
  auto job = config::load_job("config/chaos.ini", over);
  CAPTURE(to_string(job.diagnostics));
  REQUIRE(job);
  return *job.value;
}

/// A model in which example i was applied times[i] times.
store::model_content model_of(const std::vector<int>& times) {
  store::model_content model;
  model.shape = {learning::layout::sparse, static_cast<std::uint32_t>(times.size()), 2};
  auto& rows = model.sparse.emplace_back();
  const double one = lab::counted_rate * 0.5 / lab::counted_batch;
  for (std::size_t i = 0; i < times.size(); ++i) {
    rows.keys.push_back(i);
    const auto weight = static_cast<float>(times[i] * one);
    rows.rows.push_back(i % 2 == 0 ? weight : -weight);
    rows.rows.push_back(i % 2 == 1 ? weight : -weight);
  }
  return model;
}

} // namespace

TEST_CASE("the shipped chaos job is the counting job, and its data is an example a feature") {
  env::memory_disk disk;
  const auto job = counting_job({"data.features=128"});
  CHECK(is_counting(job));
  REQUIRE(write_counting_data(disk, job));
  const auto text = *disk.read(".gradmesh/counting.libsvm", 1 << 20);
  CHECK(text.starts_with("0 1:1\n1 2:1\n0 3:1\n"));
  CHECK(text.ends_with("1 128:1\n"));
}

TEST_CASE("an option with which nothing can be counted is refused by name") {
  for (const std::string option :
       {"job.batch_size=32", "optimizer.learning_rate=0.01", "optimizer.type=adagrad",
        "model.l2=0.1", "job.epochs=201", "data.features=100", "job.steps=7", "job.threads=2"}) {
    CAPTURE(option);
    env::memory_disk disk;
    const auto written =
        write_counting_data(disk, counting_job({"job.deterministic=false", option}));
    REQUIRE_FALSE(written);
    CHECK(written.failure().code == errc::invalid_config);
  }
}

TEST_CASE("what was lost and what was doubled is counted by example") {
  const auto job = counting_job({"job.epochs=3"});
  const auto good = count(model_of({3, 3, 3, 3}), job);
  CHECK(good.examples == 4);
  CHECK(good.lost == 0);
  CHECK(good.doubled == 0);
  const auto bad = count(model_of({3, 2, 4, 3, 5, 0}), job);
  CHECK(bad.lost == 2);
  CHECK(bad.doubled == 2);
  CHECK(bad.worst == doctest::Approx(3));
}

TEST_CASE("an example without a row was never applied") {
  auto model = model_of({1, 1, 1});
  model.shape.features = 4;
  const auto found = count(model, counting_job({"job.epochs=1"}));
  CHECK(found.examples == 4);
  CHECK(found.lost == 1);
}
