#include "config/job_config.hpp"
#include "config/node_config.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace gradmesh::config;

namespace {

std::string origin_of(const loaded<job_config>& job, std::string_view key) {
  const auto found = std::find_if(job.options.begin(), job.options.end(),
                                  [&](const auto& o) { return o.section + '.' + o.key == key; });
  REQUIRE(found != job.options.end());
  return to_string(found->from);
}

std::string fault(const overrides& over) {
  const auto job = parse_job("", "job.ini", over);
  REQUIRE(job.diagnostics.size() == 1);
  return to_string(job.diagnostics[0]);
}

} // namespace

TEST_CASE("the command line beats the environment, which beats the file") {
  const std::string text = "[job]\nepochs = 1\nbatch_size = 11\nseed = 111\n";
  const overrides over{{{"GRADMESH_JOB_EPOCHS", "2"}, {"GRADMESH_JOB_BATCH_SIZE", "22"}},
                       {"job.epochs=3"}};
  const auto job = parse_job(text, "job.ini", over);
  REQUIRE(job);
  CHECK(job.value->job.epochs == 3);
  CHECK(job.value->job.batch_size == 22);
  CHECK(job.value->job.seed == 111);
  CHECK(origin_of(job, "job.epochs") == "command line");
  CHECK(origin_of(job, "job.batch_size") == "environment GRADMESH_JOB_BATCH_SIZE");
  CHECK(origin_of(job, "job.seed") == "job.ini:4");
  CHECK(origin_of(job, "job.steps") == "default");
}

TEST_CASE("the last of several assignments on the command line counts") {
  const auto job = parse_job("", "job.ini", {{}, {"job.epochs=3", " job.epochs = 4 "}});
  REQUIRE(job);
  CHECK(job.value->job.epochs == 4);
}

TEST_CASE("an assignment that is none is refused") {
  CHECK(fault({{}, {"job.epochs"}}) ==
        "command line: error: 'job.epochs' is not section.key=value");
  CHECK(fault({{}, {"epochs=3"}}) == "command line: error: 'epochs=3' is not section.key=value");
  CHECK(fault({{}, {""}}) == "command line: error: '' is not section.key=value");
}

TEST_CASE("a path on the command line may hold dots and equals signs") {
  const auto job = parse_job("", "job.ini", {{}, {"data.train=../x.y=z"}});
  REQUIRE(job);
  CHECK(job.value->data.train == "../x.y=z");
}

TEST_CASE("a misspelt key on the command line is suggested like one in a file") {
  CHECK(fault({{}, {"job.epoch=3"}}) ==
        "command line: error: unknown key 'job.epoch'; did you mean 'job.epochs'?");
  CHECK(fault({{}, {"jobs.epochs=3"}}) ==
        "command line: error: unknown key 'jobs.epochs'; did you mean 'job.epochs'?");
}

TEST_CASE("variables that match no option are ignored") {
  CHECK(parse_job("", "job.ini", {{{"GRADMESH_JOB_SERVICE_HOST", "10.0.0.1"}}, {}}));
}

TEST_CASE("dashes and lower case of an option are underscores and capitals in its variable") {
  const auto node = parse_node("[node]\nroles = worker\ncoordinator = localhost:1\n", "node.ini",
                               {{{"GRADMESH_NODE_LOG_LEVEL", "debug"}}, {}});
  REQUIRE(node);
  CHECK(node.value->node.log_level == log_level::debug);
}

TEST_CASE("a value that no file could hold is refused") {
  for (const std::string value : {"a\n[job]", "a #b", "#a", "\x1b[2J"}) {
    CAPTURE(value);
    CHECK(fault({{{"GRADMESH_DATA_TRAIN", value}}, {}})
              .starts_with("environment GRADMESH_DATA_TRAIN: error: data.train: " + quoted(value) +
                           " cannot be written in a configuration file"));
  }
}
