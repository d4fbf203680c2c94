/// The coordinator's log: what it holds after whatever happens to its file.

#include "actors/coordinator/job_log.hpp"
#include "tools/simulation/faulty_disk.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <xxhash.h>

using namespace gradmesh;
using coordinator::job_log;
using coordinator::job_record;
using simulation::faulty_disk;

namespace {

constexpr std::uint64_t bytes_max = 1u << 24;
const std::string folder = "state";
const std::string path = folder + "/jobs.log";

mesh::node_uuid node(std::uint8_t number) {
  return {number, 1, 2, 3};
}

job::place place(std::uint8_t number, mesh::service_kind kind) {
  return {{node(number), {kind, 0}}, "node-" + std::to_string(number)};
}

/// The state of a job after so many decisions.
job_record state(std::uint64_t decisions) {
  job_record record{.request = {.id = 3, .config = {}, .client = {}}, .plan = {}};
  record.request.config = *job::parse_config("[job]\nname = logged\nepochs = 2\n"
                                             "[data]\nformat = libsvm\ntrain = train.libsvm\n"
                                             "features = 5\nclasses = 2\n");
  record.request.client = {node(9), {mesh::service_kind::client, 0}};
  record.request.wait = std::chrono::seconds(12);
  record.phase = schema::JobPhase::TRAINING;
  record.begun = true;
  record.phase_number = static_cast<std::uint32_t>(decisions);
  record.plan.job_id = 3;
  record.plan.config = record.request.config;
  record.plan.shape = {learning::layout::sparse, 5, 2};
  record.plan.tables = {{.name = "w", .kind = learning::table_kind::sparse, .width = 2}};
  record.plan.partitions = 4;
  record.plan.layout = job::unreplicated({place(1, mesh::service_kind::server_shard)});
  record.plan.layout.number = decisions;
  record.plan.workers = {place(2, mesh::service_kind::worker)};
  record.plan.data_servers = {place(3, mesh::service_kind::data_server)};
  record.plan.pieces = 4;
  record.plan.steps_per_epoch = 3;
  record.plan.steps = 6;
  record.incarnations = {{node(1), 4}, {node(2), 5}};
  record.draining = {node(2)};
  record.data = {100, 20, {"a", "b"}, "data.csv"};
  record.change = coordinator::agreed_change{record.request.config, 3};
  return record;
}

std::shared_ptr<faulty_disk> a_disk(std::uint64_t seed = 1) {
  auto disk = std::make_shared<faulty_disk>(seed);
  REQUIRE(disk->create_directories(folder));
  return disk;
}

std::uint64_t latest(const job_log& log) {
  return log.found() ? log.found()->phase_number : 0;
}

/// A file of three records.
std::string a_file() {
  auto file = coordinator::job_log_header();
  for (std::uint64_t i = 1; i <= 3; ++i)
    file += *coordinator::encode_log_record(state(i));
  return file;
}

/// What is found in a file of these bytes; nothing if it is refused.
std::optional<std::uint64_t> found_in(const std::string& bytes, std::string* why = nullptr) {
  const auto disk = a_disk();
  REQUIRE(disk->write(path, bytes));
  const auto log = job_log::open(disk, folder, {});
  if (!log && why) *why = log.failure().text;
  return log ? std::optional(latest(**log)) : std::nullopt;
}

} // namespace

TEST_CASE("a log gives back what was written last, in each life of its coordinator") {
  const auto disk = a_disk();
  {
    const auto log = job_log::open(disk, folder, {});
    REQUIRE(log);
    CHECK_FALSE((*log)->found());
    REQUIRE((*log)->begin(state(1)));
    REQUIRE((*log)->append(state(2)));
  }
  for (std::uint64_t life = 2; life < 5; ++life) {
    disk->crash();
    const auto log = job_log::open(disk, folder, {});
    REQUIRE(log);
    const auto& found = (*log)->found();
    REQUIRE(found);
    const auto expected = state(life);
    CHECK(found->phase_number == life);
    CHECK(found->request.id == 3);
    CHECK(found->request.config == expected.request.config);
    CHECK(found->request.client == expected.request.client);
    CHECK(found->request.wait == expected.request.wait);
    CHECK(found->plan.layout == expected.plan.layout);
    CHECK(found->plan.workers == expected.plan.workers);
    CHECK(found->plan.steps == 6);
    CHECK(found->incarnations == expected.incarnations);
    CHECK(found->draining == expected.draining);
    CHECK(found->data.class_names == expected.data.class_names);
    CHECK(found->change->step == 3);
    CHECK_FALSE(found->change_asked);
    REQUIRE((*log)->append(state(life + 1)));
  }
}

TEST_CASE("the last word on a job that has ended is kept") {
  const auto disk = a_disk();
  auto record = state(1);
  record.phase = schema::JobPhase::DONE;
  record.end = std::make_shared<capnp::MallocMessageBuilder>();
  record.end->initRoot<schema::JobUpdate>().setParametersSha256("abc");
  REQUIRE((*job_log::open(disk, folder, {}))->append(record));
  const auto log = job_log::open(disk, folder, {});
  REQUIRE(log);
  CHECK((*log)->found()->end->getRoot<schema::JobUpdate>().getParametersSha256() == "abc");
}

TEST_CASE("a record that was torn off is dropped, wherever that was") {
  const auto whole = a_file();
  const auto two = whole.size() - coordinator::encode_log_record(state(3))->size();
  for (auto length = two; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(found_in(whole.substr(0, length)) == 2);
    // The file has its length already, but not all of its bytes.
    for (const auto zeros : {std::size_t{1}, std::size_t{30}, whole.size() - length})
      CHECK(found_in(whole.substr(0, length) +
                     std::string(std::min(zeros, whole.size() - length), '\0')) == 2);
  }
  CHECK(found_in(whole) == 3);
}

TEST_CASE("a log with a bit that flipped is refused, or tells what was written") {
  const auto whole = a_file();
  std::size_t dropped = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    std::string why;
    const auto found = found_in(bytes, &why);
    if (found) ++dropped; // of the last byte: as if the record were torn
    if (!found) CHECK_MESSAGE(why.find("delete the folder 'state'") != std::string::npos, why);
  }
  CHECK(dropped <= 1);
}

TEST_CASE("a log of another format is refused by name") {
  auto bytes = coordinator::job_log_header();
  const std::uint32_t next = coordinator::job_log_version + 1;
  std::memcpy(bytes.data() + 8, &next, sizeof next);
  const auto sum = static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), 12));
  std::memcpy(bytes.data() + 12, &sum, sizeof sum);
  std::string why;
  CHECK_FALSE(found_in(bytes, &why));
  CHECK_MESSAGE(why.find("'state/jobs.log' has format 2, this program reads 1") == 0, why);
}

TEST_CASE("whenever the power goes, the log has what it said it had") {
  std::uint64_t steps = 0;
  for (std::uint64_t stop = 0; stop == 0 || stop < steps; ++stop) {
    CAPTURE(stop);
    const auto disk = a_disk(stop + 1);
    const auto before = disk->steps();
    if (stop > 0) disk->stop_after(stop - 1);
    std::uint64_t done = 0;
    if (const auto log = job_log::open(disk, folder, {})) {
      for (std::uint64_t i = 1; i <= 6; ++i) {
        const auto wrote = i == 4 ? (*log)->begin(state(i)) : (*log)->append(state(i));
        if (wrote) done = i;
        // What failed once is not tried again.
        if (!wrote) CHECK((*log)->failure() == wrote.failure());
        if (!wrote) CHECK_FALSE((*log)->append(state(9)));
        if (!wrote) break;
      }
    }
    if (stop == 0) {
      CHECK(done == 6);
      steps = disk->steps() - before + 1;
    }
    disk->crash();
    const auto log = job_log::open(disk, folder, {});
    REQUIRE_MESSAGE(log, log.failure().text);
    CHECK((latest(**log) == done || latest(**log) == done + 1));
    REQUIRE((*log)->append(state(20)));
    disk->crash();
    CHECK(latest(**job_log::open(disk, folder, {})) == 20);
  }
  CHECK(steps > 10);
}

TEST_CASE("what is read after a sync that failed is on the medium before anybody acts on it") {
  std::uint64_t seen = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto disk = a_disk(seed);
    {
      const auto log = job_log::open(disk, folder, {});
      REQUIRE((*log)->append(state(1)));
      disk->fail_syncs(1);
      CHECK_FALSE((*log)->append(state(2)));
    }
    const auto next = job_log::open(disk, folder, {}); // a process that begins again, no crash
    REQUIRE(next);
    const auto acts_on = latest(**next);
    seen = std::max(seen, acts_on);
    disk->crash();
    CHECK(latest(**job_log::open(disk, folder, {})) == acts_on);
  }
  CHECK(seen == 2);
}

TEST_CASE("a log that is not synced forgets") {
  rule_set rules;
  rules.break_rule(rule::log_synced);
  std::uint64_t forgot = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto disk = a_disk(seed);
    const auto log = job_log::open(disk, folder, rules);
    REQUIRE((*log)->append(state(1)));
    REQUIRE((*log)->append(state(2)));
    disk->crash();
    const auto next = job_log::open(disk, folder, {});
    // With more than one record on its way a crash may leave what looks like damage.
    if (!next || latest(**next) != 2) ++forgot;
  }
  CHECK(forgot > 5);
}

TEST_CASE("a log does not grow for ever") {
  const auto disk = a_disk();
  const auto log = job_log::open(disk, folder, {});
  auto record = state(1);
  record.data.source = std::string(1u << 20, 's');
  for (int i = 0; i < 20; ++i)
    REQUIRE((*log)->append(record));
  CHECK(disk->read(path, bytes_max)->size() < 6u << 20);
  CHECK(latest(**job_log::open(disk, folder, {})) == 1);
}
