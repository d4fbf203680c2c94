#include "tools/config_file.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::tools;

TEST_CASE("jobs and nodes are told apart by their sections") {
  const auto job = parse_config_file("[job]\nepochs = 2\n", "a.ini", {});
  CHECK(job.outcome == exit_ok);
  CHECK(job.kind == std::string("job"));
  CHECK_FALSE(job.options.empty());
  const auto node =
      parse_config_file("[node]\nroles = worker\ncoordinator = localhost:7700\n", "b.ini", {});
  CAPTURE(to_string(node.diagnostics));
  CHECK(node.outcome == exit_ok);
  CHECK(node.kind == std::string("node"));
}

TEST_CASE("a file without sections is a job with all defaults") {
  CHECK(parse_config_file("# nothing\n", "a.ini", {}).kind == std::string("job"));
}

TEST_CASE("a file that is neither says what it could be") {
  const auto file = parse_config_file("\n[wheel]\nspokes = 32\n", "a.ini", {});
  CHECK(file.outcome == exit_invalid_config);
  CHECK(to_string(file.diagnostics) ==
        "a.ini:2: error: neither a job file ([job], [data], [model], [optimizer], [mesh]) nor a "
        "node file ([node], [tls], [server], [worker]): the first section is 'wheel'\n");
}

TEST_CASE("all faults of a file and of its overrides come at once") {
  const auto file = parse_config_file(
      "[job]\nepoch = 2\n[data]\nformat = xml\n", "a.ini",
      {.environment = {{"GRADMESH_JOB_BATCH_SIZE", "none"}}, .command_line = {"job.seed=-1"}});
  CHECK(file.outcome == exit_invalid_config);
  CHECK(file.options.empty());
  CAPTURE(to_string(file.diagnostics));
  REQUIRE(file.diagnostics.size() == 4);
  CHECK(file.diagnostics[0].line == 2);
  CHECK(file.diagnostics[1].line == 4);
}

TEST_CASE("a file that does not exist is not found") {
  const auto file = load_config_file("no/such/file.ini", {});
  CHECK(file.outcome == exit_not_found);
  REQUIRE(file.diagnostics.size() == 1);
  CHECK(file.diagnostics[0].file == "no/such/file.ini");
}

TEST_CASE("every kind of sample is a valid file of that kind") {
  for (const char* kind : {"job", "coordinator", "server", "worker", "data-server"}) {
    CAPTURE(kind);
    const auto text = sample_config(kind);
    REQUIRE(text);
    const auto file = parse_config_file(*text, kind, {});
    CAPTURE(to_string(file.diagnostics));
    CHECK(file.outcome == exit_ok);
    CHECK(file.kind == std::string(kind == std::string("job") ? "job" : "node"));
  }
  CHECK_FALSE(sample_config("client"));
}
