/// Whole jobs in virtual time that write down what they do: the logs hold what was promised, and
/// the job done again by them has the same bits.

#include "actors/job/job_plan.hpp"
#include "actors/replay/replay.hpp"
#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using testing::test_job;
using testing::virtual_mesh;

namespace {

constexpr std::uint64_t data_seed = 20261121;

test_job sparse_job(const std::string& strategy) {
  return {.strategy = strategy,
          .deterministic = "false",
          .epochs = 3,
          .test = "",
          .features = 300,
          .classes = 4,
          .record = "clock"};
}

test_job dense_job(const std::string& strategy) {
  return {.strategy = strategy,
          .deterministic = "false",
          .epochs = 3,
          .format = "csv",
          .train = "train.csv",
          .test = "",
          .features = 20,
          .classes = 3,
          .model = "mlp",
          .hidden = "16,8",
          .record = "clock"};
}

learning::dataset examples_of(const test_job& job) {
  return job.format == "csv" ? testing::random_dense(data_seed, 500, 20, 3)
                             : testing::random_sparse(data_seed, 1000, 300, 4, 8, false);
}

rule_set without(std::optional<rule> broken) {
  rule_set rules;
  if (broken) rules.break_rule(*broken);
  return rules;
}

/// A job that was trained and written down: on two servers by three workers of different speeds and
/// distances.
struct recorded_job {
  explicit recorded_job(const test_job& job, const std::vector<std::string>& change = {},
                        std::optional<rule> broken = {})
      : mesh({.rules = without(broken), .tap = {}}), train(examples_of(job)) {
    constexpr std::size_t servers = 2;
    mesh.add_roles(servers, 0, 2, "[emulation]\nlink_delay_ms = 1\n");
    const std::string slowness[] = {"link_delay_ms = 2\nstep_time_ms = 7\n",
                                    "link_delay_ms = 5\nstep_time_ms = 3\n",
                                    "link_delay_ms = 1\nstep_time_ms = 19\n"};
    for (std::size_t i = 0; i < std::size(slowness); ++i)
      mesh.add_node(virtual_mesh::node_file("worker", i) + "[emulation]\n" + slowness[i]);
    mesh.settle();
    REQUIRE(mesh.disk().write(job.train, job.format == "csv" ? testing::csv_text(train)
                                                             : testing::libsvm_text(train)));
    mesh.submit(job.text());
    if (!change.empty()) {
      const auto trains = [&] { return mesh.outcome().examples_done > 0; };
      REQUIRE(mesh.run_until(trains, std::chrono::seconds(10)));
      REQUIRE_MESSAGE(mesh.change(change), mesh.refusal().text);
    }
    outcome = mesh.finish();
    // A job that breaks a rule may fail by it.
    REQUIRE_MESSAGE((outcome.phase == schema::JobPhase::DONE || broken),
                    outcome.text << mesh.refusal().text);
    mesh.settle();
    for (std::size_t shard = 0; shard < servers; ++shard) {
      const auto name = "clock." + std::to_string(shard);
      auto bytes = mesh.disk().read(name, 1u << 30);
      REQUIRE_MESSAGE(bytes, bytes.failure().text);
      files.push_back(std::move(*bytes));
    }
  }

  std::vector<record::named_log> logs() const {
    std::vector<record::named_log> named;
    for (std::size_t shard = 0; shard < files.size(); ++shard)
      named.push_back({"clock." + std::to_string(shard), files[shard]});
    return named;
  }
  result<replay::replayed> replay(const learning::dataset& on) const {
    return replay::replay(logs(), on, [](std::uint64_t, std::uint64_t) {});
  }

  virtual_mesh mesh;
  learning::dataset train;
  testing::job_outcome outcome;
  std::vector<std::string> files; // by shard
};

void check_replay(const recorded_job& job) {
  const auto verified = record::verify(job.logs());
  REQUIRE_MESSAGE(verified, verified.failure().text);
  for (const auto& shard : verified->shards)
    CHECK(shard.finished);
  const auto again = job.replay(job.train);
  REQUIRE_MESSAGE(again, again.failure().text);
  CHECK(again->parameters_sha256 == job.outcome.parameters_sha256);
}

} // namespace

TEST_CASE("an async job done again by its logs has the same bits") {
  for (const auto& job : {sparse_job("async"), dense_job("async")}) {
    CAPTURE(job.model);
    const recorded_job recorded(job);
    CHECK(recorded.outcome.staleness_max > 0);
    check_replay(recorded);
  }
}

TEST_CASE("a job with snapshots done again by its logs has the same bits") {
  auto job = dense_job("bsp");
  job.svrg_epochs = 1;
  check_replay(recorded_job(job));
}

TEST_CASE("a job of any strategy done again by its logs has the same bits") {
  for (const std::string strategy : {"bsp", "ssp", "bounded-delay"})
    for (auto job : {sparse_job(strategy), dense_job(strategy)}) {
      CAPTURE(strategy);
      CAPTURE(job.model);
      job.optimizer = "adam";
      job.learning_rate = 0.01;
      check_replay(recorded_job(job));
    }
  auto deterministic = sparse_job("bsp");
  deterministic.deterministic = "true";
  check_replay(recorded_job(deterministic));
  auto backed_up = sparse_job("bsp");
  backed_up.backup_workers = 1;
  check_replay(recorded_job(backed_up));
}

TEST_CASE("a job whose workers add their own pushes done again by its logs has the same bits") {
  for (const std::string format : {"float32", "int8"})
    for (auto job : {sparse_job("ssp"), dense_job("ssp")}) {
      CAPTURE(format);
      CAPTURE(job.model);
      job.push_as = format;
      job.optimizer_lines = "schedule = cosine\nwarmup_steps = 5\n";
      check_replay(recorded_job(job));
    }
}

TEST_CASE("a rule that is broken in a whole mesh shows in its logs") {
  struct broken {
    rule what;
    std::string strategy;
    std::string complaint;
  };
  const broken all[] = {
      {rule::step_complete, "bsp", "was applied with the pushes of 2 workers"},
      {rule::read_waits, "bsp", "whole steps at its clock"},
      {rule::rank_order, "bsp", "was not summed in the order of the ranks (2, 1, 0)"},
      {rule::staleness_bound, "ssp", "staleness 1 wants"},
      {rule::read_my_writes, "ssp", "without its own writes"},
      {rule::own_writes_added, "ssp", "of the worker's own steps instead of"},
      {rule::own_writes_once, "ssp", "of the worker's own steps instead of"},
      {rule::delay_bound, "bounded-delay", "was missing; delay 1 allows none before"},
  };
  for (const auto& b : all) {
    CAPTURE(to_string(b.what));
    auto job = sparse_job(b.strategy);
    job.staleness = 1;
    job.delay = 1;
    // A step that does without a worker's push leaves that worker behind.
    if (b.what == rule::step_complete) job.steps = 1;
    const recorded_job recorded(job, {}, b.what);
    const auto verified = record::verify(recorded.logs());
    REQUIRE_FALSE(verified);
    CAPTURE(verified.failure().text);
    CHECK(verified.failure().text.find(b.complaint) != std::string::npos);
    CHECK(verified.failure().text.starts_with("clock."));
  }
}

TEST_CASE("a job whose values travel in fewer bits is done again with the same bits") {
  for (const std::string format : {"float16", "int8"})
    for (auto job : {sparse_job("async"), dense_job("async"), sparse_job("bsp")}) {
      CAPTURE(format);
      job.push_as = format;
      job.pull_as = format;
      check_replay(recorded_job(job));
    }
}

TEST_CASE("a job whose rate depends on step and staleness is done again with the same bits") {
  for (auto job : {sparse_job("async"), sparse_job("bsp"), dense_job("async")}) {
    job.optimizer_lines = "schedule = cosine\nwarmup_steps = 5\nstaleness_scaling = inverse\n";
    if (job.strategy == "bsp") job.optimizer_lines = "schedule = cosine\nwarmup_steps = 5\n";
    check_replay(recorded_job(job));
  }
}

TEST_CASE("a job whose strategy was changed is done again with the same bits") {
  for (const std::string from : {"bsp", "ssp", "async"})
    for (const std::string to : {"bsp", "bounded-delay", "async"}) {
      CAPTURE(from);
      CAPTURE(to);
      auto job = sparse_job(from);
      job.epochs = 6;
      job.push_as = "int8";
      const recorded_job recorded(job, {"job.strategy=" + to});
      CHECK(recorded.outcome.strategy == to);
      check_replay(recorded);
      CHECK(record::verify(recorded.logs())->contract.find(", then ") != std::string::npos);
    }
}

TEST_CASE("a job is done again on the data that it was trained on, and no other") {
  const recorded_job job(sparse_job("async"));
  auto shorter = job.train;
  shorter.labels.resize(900);
  shorter.offsets.resize(901);
  CHECK(job.replay(shorter).failure().code == errc::refused);
  auto other = job.train;
  other.values[77] += 0.5F;
  const auto again = job.replay(other);
  REQUIRE_FALSE(again);
  CHECK(again.failure().text.find("is not the one that was applied: the data") !=
        std::string::npos);
}

TEST_CASE("a full disk ends the recording and not the training") {
  virtual_mesh mesh;
  mesh.add_roles(2, 2, 1);
  const auto job = sparse_job("async");
  REQUIRE(mesh.disk().write(job.train, testing::libsvm_text(examples_of(job))));
  mesh.disk().set_space_left(2000);
  mesh.submit(job.text());
  CHECK(mesh.finish().phase == schema::JobPhase::DONE);
  mesh.settle();
  const auto first = mesh.disk().read("clock.0", 1 << 20);
  const auto second = mesh.disk().read("clock.1", 1 << 20);
  REQUIRE(first);
  REQUIRE(second);
  const record::named_log logs[] = {{"clock.0", *first}, {"clock.1", *second}};
  const auto verified = record::verify(logs);
  REQUIRE_FALSE(verified);
  CHECK(verified.failure().text.find("the log was cut off") != std::string::npos);
}

namespace {

/// A job on three servers, the first of which is lost, or leaves, when the job trains.
struct moved_record {
  explicit moved_record(const std::function<void(virtual_mesh&)>& lose_first,
                        const std::string& strategy = "async")
      : mesh({.log = [this](env::severity, std::string_view line) { log += line; }}) {
    mesh.add_roles(3, 2, 1, "[emulation]\nstep_time_ms = 20\n");
    auto job = sparse_job(strategy);
    REQUIRE(mesh.disk().write(job.train, testing::libsvm_text(examples_of(job))));
    mesh.submit(job.text());
    const auto trains = [&] { return mesh.outcome().examples_done > 100; };
    REQUIRE(mesh.run_until(trains, std::chrono::seconds(10)));
    lose_first(mesh);
    REQUIRE(mesh.finish().phase == schema::JobPhase::DONE);
    mesh.settle();
    std::vector<std::string> files;
    for (const std::string name : {"clock.0", "clock.1", "clock.2"}) {
      auto bytes = mesh.disk().read(name, 1u << 30);
      REQUIRE_MESSAGE(bytes, bytes.failure().text);
      files.push_back(std::move(*bytes));
    }
    const record::named_log logs[] = {
        {"clock.0", files[0]}, {"clock.1", files[1]}, {"clock.2", files[2]}};
    const auto verified = record::verify(logs);
    if (!verified) verdict = verified.failure().text;
    for (const auto& one : logs)
      if (auto alone = record::verify_shard(one); !alone) wrong_alone.push_back(one.file);
  }

  std::string log; // of all nodes; outlives the mesh
  virtual_mesh mesh;
  std::string verdict;
  std::vector<std::string> wrong_alone;
};

} // namespace

TEST_CASE("the record of a shard that another server takes over ends, and says so") {
  for (const std::string strategy : {"async", "ssp", "bsp"}) {
    CAPTURE(strategy);
    const moved_record gone([](virtual_mesh& mesh) { mesh.stop_node(1); }, strategy);
    CHECK_MESSAGE(gone.verdict.starts_with("clock.0, block "), gone.verdict);
    CHECK_MESSAGE(gone.verdict.find("shard 0: the record ends here, at shard clock ") !=
                      std::string::npos,
                  gone.verdict);
    CHECK(gone.wrong_alone.empty()); // what is there keeps the contract
    CHECK(gone.log.find("shard 0 of job 1 comes from 'server-0', where its clock log ends") !=
          std::string::npos);
  }
}

TEST_CASE("a job that cannot be recorded from its beginning is refused") {
  virtual_mesh mesh;
  mesh.add_roles(1, 1, 1);
  auto job = sparse_job("async");
  job.record = "no/such/folder/clock";
  REQUIRE(mesh.disk().write(job.train, testing::libsvm_text(examples_of(job))));
  mesh.submit(job.text());
  const auto outcome = mesh.finish();
  CHECK(outcome.phase == schema::JobPhase::FAILED);
  CHECK(outcome.text.find("job.record = no/such/folder/clock: cannot create") != std::string::npos);
}
