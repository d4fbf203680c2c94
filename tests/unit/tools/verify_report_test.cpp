#include "actors/env/memory_disk.hpp"
#include "tools/record_files.hpp"
#include "tools/verify_report.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace gradmesh;
using namespace gradmesh::tools;

namespace {

record::verification found() {
  record::shard_findings shard;
  shard.reads = 1200;
  shard.others = 10;
  shard.parts = 2400;
  shard.pushes = 1200;
  shard.repeated_parts = 2;
  shard.staleness_max = 5;
  shard.behind_max = 3;
  shard.finished = true;
  return {"quick", "ssp with staleness 3", {}, 4, {shard, shard}};
}

} // namespace

TEST_CASE("what was verified is said to people") {
  CHECK(verify_text(found(), 123'456) ==
        "quick: ssp with staleness 3, 2 shard(s), 4 worker(s), 123 kB of logs\n"
        "  reads      2,400 for training, each saw what it must (20 for evaluation)\n"
        "  behind     3 step(s) at most of the slowest worker were not seen by a read\n"
        "  pushes     2,400 in 4,800 parts, each taken once and whole (4 repeated, 0 late parts "
        "dropped)\n"
        "  staleness  as the workers were told, 5 update(s) at most\n"
        "  job        came to its end; every batch was trained once\n"
        "the contract holds\n");
}

TEST_CASE("what was verified has numbers under stable names for machines") {
  const auto object = nlohmann::json::parse(verify_json(found(), 7));
  CHECK(object.at("holds") == true);
  CHECK(object.at("finished") == true);
  CHECK(object.at("contract") == "ssp with staleness 3");
  CHECK(object.at("pushes") == 2400);
  CHECK(object.at("staleness_max") == 5);
  CHECK(object.at("log_bytes") == 7);
}

TEST_CASE("the logs of a job are found by the name that it gives them, or by that of one of them") {
  env::memory_disk disk;
  REQUIRE(disk.write("run.0", "a"));
  REQUIRE(disk.write("run.1", "bc"));
  REQUIRE(disk.write("run.3", "d"));
  for (const std::string path : {"run", "run.0", "run.1"}) {
    const auto files = record_files::read({path}, disk);
    REQUIRE(files);
    REQUIRE(files->logs().size() == 2);
    CHECK(files->logs()[1].file == "run.1");
    CHECK(files->logs()[1].bytes == "bc");
    CHECK(files->bytes() == 3);
  }
  CHECK(record_files::read({"run.3", "run.0"}, disk)->logs().size() == 2);
  CHECK(record_files::read({"other"}, disk).failure().code == errc::not_found);
  CHECK(record_files::read({"run.0", "run.2"}, disk).failure().code == errc::not_found);
}
