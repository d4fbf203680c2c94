/// `gradmesh sim` as a program.

#include "tests/support/process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace gradmesh;

namespace {

constexpr std::chrono::minutes patience{4};

struct ran {
  int status = -1;
  std::string out;
  std::string err;
};

ran sim(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {GRADMESH_PROGRAM, "sim"});
  testing::process program(arguments);
  const auto status = program.wait_end(patience);
  return {status, program.out(), program.err()};
}

} // namespace

TEST_CASE("processes share the seeds, and the traces are the same whoever ran them") {
  const auto by = [](const std::string& jobs) {
    const auto done = sim({"--first", "500", "--seeds", "100", "--jobs", jobs, "-o", "json"});
    CHECK_MESSAGE(done.status == 0, done.err);
    auto report = nlohmann::json::parse(done.out);
    CHECK(report["seeds"] == 100);
    CHECK(report["violation"].is_null());
    return report["trace_hash"].get<std::string>();
  };
  CHECK(by("1") == by("3"));
}

TEST_CASE("a planted bug is found, with a command that shows it") {
  const auto found = sim({"--plant", "delay-bound", "--seeds", "500"});
  CHECK(found.status == 0);
  CHECK(found.err.find("was found after ") != std::string::npos);
  const auto at = found.err.find("replay: gradmesh sim --first ");
  REQUIRE(at != std::string::npos);
  const auto seed = std::to_string(std::stoull(found.err.substr(at + 29)));
  const auto again = sim({"--first", seed, "--seeds", "1", "--plant", "delay-bound", "--trace"});
  CHECK(again.status == 0);
  CHECK(again.out.find("violation: ") != std::string::npos);
  // Without what the seed needs for it there is nothing to be found.
  CHECK(sim({"--plant", "push-once", "--seeds", "20", "--faults", "none"}).status == 1);
}

TEST_CASE("what makes no sense is refused with what there is") {
  const auto refused = [](std::vector<std::string> arguments) {
    const auto done = sim(std::move(arguments));
    CHECK(done.status == 2);
    return done.err;
  };
  CHECK(refused({"--faults", "crash,flood"}).find("there is no 'flood'") != std::string::npos);
  CHECK(refused({"--plant", "none"}).find("--list-plants") != std::string::npos);
  CHECK(refused({"--nodes", "servers=0"}).find("'servers=0'") != std::string::npos);
  CHECK(refused({"--nodes", "clients=1"}).find("'clients=1'") != std::string::npos);
  CHECK(refused({"--nodes", "workers"}).find("'workers'") != std::string::npos);
  CHECK(refused({"--seeds", "0"}).find("at least 1") != std::string::npos);
}

TEST_CASE("the names of plants come one a line") {
  const auto listed = sim({"--list-plants"});
  CHECK(listed.status == 0);
  CHECK(listed.out.starts_with("step-complete\n"));
  CHECK(listed.out.find("\npush-once\n") != std::string::npos);
}
