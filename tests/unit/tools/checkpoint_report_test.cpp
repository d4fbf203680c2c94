#include "tools/checkpoint_report.hpp"

#include "tests/unit/store/checkpoint_support.hpp"
#include "tools/command.hpp"
#include "tools/simulation/faulty_disk.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>

using namespace gradmesh;
using namespace gradmesh::testing;
using namespace gradmesh::tools;
using simulation::faulty_disk;

namespace {

constexpr std::int64_t now_ms = 1'795'000'065'000; // 65 s after they were made

/// Four checkpoints, of which two are kept; a crash left a fifth.
struct job_folder {
  std::shared_ptr<faulty_disk> disk = std::make_shared<faulty_disk>(1);
  store::checkpoint_store store{disk, checkpoint_folder};

  job_folder() {
    for (std::uint64_t step = 1; step <= 4; ++step)
      REQUIRE(write_checkpoint(disk, step));
    REQUIRE(store::retain_checkpoints(disk, checkpoint_folder, 2));
    REQUIRE(disk->create_directories(checkpoint_folder + "/000005"));
  }
  checkpoint_survey survey(store::check_depth depth) const {
    auto found = survey_checkpoints(store, depth);
    REQUIRE(found);
    return *std::move(found);
  }
};

} // namespace

TEST_CASE("checkpoints are listed with what they share") {
  const job_folder job;
  const auto survey = job.survey(store::check_depth::files);
  CHECK_FALSE(survey.any_damage());
  CHECK(survey_text(survey, now_ms) ==
        "NAME    STATE        JOB          STEP  SHARDS  CHUNKS  SHARED  SIZE  WRITTEN    AGE\n"
        "000001  chunks-only  -               -       -       -       -     -        -      -\n"
        "000003  complete     quickstart  3/100       2       6       4  106B      40B  1m05s\n"
        "000004  complete     quickstart  4/100       2       6       4  106B      40B  1m05s\n"
        "000005  unfinished   -               -       -       -       -     -        -      -\n"
        "/checkpoints/job: a job goes on from 000004\n");
}

TEST_CASE("damage is said by file and place, and what is used instead") {
  const job_folder job;
  REQUIRE(job.disk->flip_bit(checkpoint_folder + "/000004/shard-00001.chunks", 50 * 8));
  CHECK_FALSE(job.survey(store::check_depth::files).any_damage());
  const auto survey = job.survey(store::check_depth::chunks);
  CHECK(survey.any_damage());
  const auto text = survey_text(survey, now_ms);
  CHECK(text.find("000004  damaged ") != std::string::npos);
  CHECK(text.ends_with("000004: 000004/shard-00001.chunks, bytes 40..59: chunk 0 is damaged: its "
                       "checksum is wrong\n/checkpoints/job: a job goes on from 000003\n"));
  REQUIRE(job.disk->flip_bit(checkpoint_folder + "/000003/manifest", 50 * 8));
  CHECK(survey_text(job.survey(store::check_depth::files), now_ms)
            .find("000003: /checkpoints/job/000003/manifest: the manifest is damaged") !=
        std::string::npos);
}

TEST_CASE("the list is also there for machines") {
  const job_folder job;
  REQUIRE(job.disk->cut(checkpoint_folder + "/000004/shard-00001.chunks", 50));
  const auto survey = job.survey(store::check_depth::files);
  const auto json = nlohmann::json::parse(survey_json(survey, now_ms));
  CHECK(json["folder"] == checkpoint_folder);
  CHECK(json["usable"] == 3);
  REQUIRE(json["checkpoints"].size() == 4);
  CHECK(json["checkpoints"][0]["state"] == "chunks-only");
  const auto& whole = json["checkpoints"][1];
  CHECK(whole["number"] == 3);
  CHECK(whole["job"] == "quickstart");
  CHECK(whole["age_s"] == 65);
  CHECK(whole["step"] == 3);
  CHECK(whole["shared_chunks"] == 4);
  CHECK(whole["files"][0]["path"] == "000001/shard-00000.chunks");
  CHECK(whole["files"][0]["shared"] == true);
  CHECK(whole["files"][3]["shared"] == false);
  CHECK(whole["damage"].empty());
  const auto& damaged = json["checkpoints"][2];
  CHECK(damaged["state"] == "damaged");
  CHECK(damaged["damage"][0]["path"] == "000004/shard-00001.chunks");
  CHECK(damaged["damage"][0]["why"] == "the file has 50 bytes, it was written with 60");
}

TEST_CASE("the chunks of a checkpoint are listed with the files that they lie in") {
  const job_folder job;
  const auto manifest = job.store.manifest(4);
  REQUIRE(manifest);
  CHECK(chunks_text(*manifest).starts_with(
      "SHARD  CHUNK  KIND  BYTES  FILE                       OFFSET  SHARED\n"
      "    0      0     1     20  000004/shard-00000.chunks      40  no\n"
      "    0      1     1     16  000001/shard-00000.chunks      60  yes\n"));
  const auto json = nlohmann::json::parse(chunks_json(*manifest));
  CHECK(json["chunks"].size() == 6);
  CHECK(json["chunks"][1]["shared"] == true);
  CHECK(json["chunks"][1]["offset"] == 60);
}

TEST_CASE("the command ends with the exit status that its help promises") {
  namespace fs = std::filesystem;
  auto root = (fs::temp_directory_path() / "gradmesh-checkpoint-XXXXXX").string();
  REQUIRE(::mkdtemp(root.data()) != nullptr);
  const std::shared_ptr<env::disk> disk(env::make_disk());
  std::stringstream out;
  std::stringstream err;
  auto* const out_before = std::cout.rdbuf(out.rdbuf());
  auto* const err_before = std::cerr.rdbuf(err.rdbuf());
  const auto run = [&](const char* noun, const std::string& folder) {
    out.str("");
    return checkpoint_command({noun, folder});
  };
  CHECK(run("list", root) == exit_not_found);
  CHECK(run("list", root + "/no") == exit_not_found);
  CHECK(err.str().find("it holds no folder like 000001") != std::string::npos);

  auto writer = store::checkpoint_writer::begin(disk, root + "/job");
  REQUIRE(writer);
  REQUIRE(writer->add({0, 0, 1, "bytes"}));
  REQUIRE(writer->commit(summary_at(7), 1));
  CHECK(run("list", root + "/job") == exit_ok);
  CHECK(out.str().find("000001  complete  quickstart  7/100") != std::string::npos);
  CHECK(run("verify", root) == exit_ok); // the folder above
  const auto file = root + "/job/000001/shard-00000.chunks";
  auto bytes = *disk->read(file, 1000);
  bytes.back() ^= 1;
  REQUIRE(disk->write(file, bytes));
  CHECK(run("verify", root) == exit_failed);
  CHECK(out.str().find("shard-00000.chunks, bytes 40..44: chunk 0 is damaged") !=
        std::string::npos);
  CHECK(checkpoint_command({"list", root + "/job", "--chunks", "2"}) == exit_not_found);
  CHECK(checkpoint_command({"list", root, "-o", "xml"}) == exit_usage);
  std::cout.rdbuf(out_before);
  std::cerr.rdbuf(err_before);
  fs::remove_all(root);
}
