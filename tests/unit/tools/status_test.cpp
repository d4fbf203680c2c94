#include "actors/mesh/identity.hpp"
#include "tests/unit/tools/job_update.hpp"
#include "tools/status_format.hpp"

#include <capnp/message.h>
#include <doctest/doctest.h>

#include <algorithm>

using namespace gradmesh;
using namespace gradmesh::tools;
using mesh::service_kind;
using nlohmann::json;

namespace {

constexpr std::uint32_t number_of(service_kind kind, std::uint16_t index) {
  return static_cast<std::uint32_t>(kind) << 16 | index;
}

/// A coordinator, and a server with two shards, of which the second is not in the heartbeat yet;
/// the first has applied `pushes` pushes. It coordinates another mesh, so that all is in one
/// heartbeat.
class sample {
public:
  explicit sample(double pushes, bool with_job = true)
      : root_(message_.initRoot<schema::Status>()) {
    root_.setEpoch(5);
    root_.setUptimeMs(12'400);
    auto members = root_.initMembers(2);
    add(members[0], "coordinator", "127.0.0.1:7700", {});
    add(members[1], "server-0", "127.0.0.1:7710",
        {number_of(service_kind::server_shard, 0), number_of(service_kind::server_shard, 1),
         number_of(service_kind::coordinator, 0)});
    auto beat = members[1].initLastHeartbeat();
    beat.setResidentBytes(57'300'000);
    beat.setCpuSeconds(pushes);
    auto services = beat.initServices(2);
    services[0].setService(number_of(service_kind::server_shard, 0));
    services[0].setState("serving");
    fill(services[0].initGauges(2), {{"clock", 7}, {"pushes_total", pushes}});
    services[1].setService(number_of(service_kind::coordinator, 0));
    services[1].setState("running");
    fill(services[1].initGauges(4), {{"members", 2},
                                     {"nodes_lost_total", 3},
                                     {"nodes_returned_total", 1},
                                     {"checkpoint_failures_total", 5}});
    if (!with_job) return;
    root_.setJob(job_update().done());
    auto shards = root_.getJob().initLayout().initShards(2);
    shards[0].initPrimary().setName("server-0");
    shards[0].initBackup().setName("server-1");
    shards[0].setBackupState(schema::BackupState::SYNCED);
    shards[1].initPrimary().setName("server-1");
  }

  status_report report() {
    return make_status_report(root_.asReader(), {"127.0.0.1:7700", "gradmesh", 0.003});
  }

private:
  static void fill(capnp::List<schema::Gauge>::Builder out,
                   const std::vector<std::pair<const char*, double>>& gauges) {
    for (unsigned i = 0; i < out.size(); ++i) {
      out[i].setName(gauges[i].first);
      out[i].setValue(gauges[i].second);
    }
  }
  static void add(schema::MemberStatus::Builder out, const char* name, const char* endpoint,
                  std::vector<std::uint32_t> services) {
    auto member = out.initMember();
    member.setName(name);
    member.setEndpoint(endpoint);
    member.initRoles(1).set(0, std::string_view(name).starts_with("s") ? "server" : "coordinator");
    auto list = member.initServices(static_cast<unsigned>(services.size()));
    for (unsigned i = 0; i < list.size(); ++i)
      list.set(i, services[i]);
    out.setHeartbeatAgeMs(120);
    out.setProcessId(4711);
    out.setVersion("0.1.0");
  }

  capnp::MallocMessageBuilder message_;
  schema::Status::Builder root_;
};

} // namespace

TEST_CASE("the status says who answered, and shows every node and service") {
  const auto lines = status_lines(sample(3).report(), "", false);
  CHECK(lines[0] == "127.0.0.1:7700 answered 3ms ago: cluster gradmesh, view 5, up 12.4s");
  CHECK(lines[2] == "NAME         ROLES        ENDPOINT        MEMORY   CPU  HEARTBEAT");
  CHECK(lines[3] == "coordinator  coordinator  127.0.0.1:7700       -     -       0.1s");
  CHECK(lines[4] == "server-0     server       127.0.0.1:7710  57.3MB  3.0s       0.1s");
  CHECK(lines[6] == "NAME        STATE    CLOCK  PULLS  PUSHES  SPARSE_KEYS  HEARTBEAT");
  CHECK(lines[7] == "server-0/0  serving      7      -       3            -       0.1s");
  CHECK(lines[8] == "server-0/1  -            -      -       -            -       0.1s");
  CHECK(std::count(lines.begin(), lines.end(), "no workers") == 1);
  CHECK(std::count(lines.begin(), lines.end(), "no data-servers") == 1);
  CHECK(std::count(lines.begin(), lines.end(),
                   "quick  done   async        -  0.5000         500     87.0%        2  4.0s") ==
        1);
  CHECK(lines[lines.size() - 2] == "    0  server-0  server-1  synced");
  CHECK(lines.back() == "    1  server-1  -         alone");
}

TEST_CASE("the default tables fit in 80 columns, the wide ones show more") {
  const auto report = sample(3).report();
  for (const auto& line : status_lines(report, "", false))
    CHECK(line.size() <= 80);
  CHECK(status_lines(report, "nodes", true)[2].find("VERSION") != std::string::npos);
}

TEST_CASE("one section can be asked for") {
  const auto lines = status_lines(sample(3).report(), "shards", false);
  CHECK(lines.size() == 5);
  CHECK(is_section("data-servers"));
  CHECK_FALSE(is_section("wheels"));
}

TEST_CASE("nodes that were given up and checkpoints that failed are counted for all to see") {
  const auto lines = status_lines(sample(3).report(), "coordinator", false);
  REQUIRE(lines.size() == 4);
  CHECK(lines[2] == "NAME        STATE    MEMBERS  LOST  RETURNED  CHECKPOINTS  FAILED  HEARTBEAT");
  CHECK(lines[3] == "server-0/0  running        2     3         1            -       5       0.1s");
  CHECK(json::parse(status_json(sample(3).report(), ""))["coordinator"][0]["nodes_lost_total"] ==
        3);
}

TEST_CASE("the status for machines has numbers as numbers and the unknown as null") {
  const auto object = json::parse(status_json(sample(3).report(), ""));
  CHECK(object["answered_by"] == "127.0.0.1:7700");
  CHECK(object["answer_age_seconds"] == 0.003);
  CHECK(object["view_epoch"] == 5);
  CHECK(object["uptime_seconds"] == 12.4);
  CHECK(object["nodes"][0]["resident_bytes"].is_null());
  CHECK(object["nodes"][1]["resident_bytes"] == 57'300'000);
  CHECK(object["nodes"][1]["roles"] == json::array({"server"}));
  CHECK(object["nodes"][1]["process_id"] == 4711);
  CHECK(object["shards"][0]["clock"].is_number_integer());
  CHECK(object["shards"][1]["clock"].is_null());
  CHECK(object["workers"] == json::array());
  CHECK(object["data_servers"] == json::array());
  CHECK(object["job"]["test_accuracy"].get<double>() == doctest::Approx(0.87));
}

TEST_CASE("before the first job there is none") {
  const auto report = sample(3, false).report();
  CHECK(json::parse(status_json(report, ""))["job"].is_null());
  CHECK(status_lines(report, "job", false).back() == "no job");
}

TEST_CASE("jsonl has a line for each row with its kind") {
  std::vector<std::string> kinds;
  for (const auto& line : status_jsonl(sample(3).report(), ""))
    kinds.push_back(json::parse(line)["kind"]);
  CHECK(kinds == std::vector<std::string>{"node", "node", "shard", "shard", "coordinator", "job",
                                          "replica", "replica"});
}

TEST_CASE("CSV is one table with its heading") {
  const auto lines = status_csv(sample(3).report(), "shards");
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].starts_with("name,state,clock,pulls_total,pushes_total,"));
  CHECK(lines[1].starts_with("server-0/0,serving,7,,3,"));
  CHECK(lines[2].starts_with("server-0/1,,,,,"));
}

TEST_CASE("a watch reports rows that changed, not those that only grew older") {
  const auto before = sample(3).report();
  auto older = sample(3).report();
  older.sections[0].rows[1][7] = 99.5;  // processor time
  older.sections[0].rows[1].back() = 3; // age of the heartbeat
  CHECK(changed_rows(before, older, "", "table", 2).empty());

  auto relinked = before;
  relinked.sections[0].rows[1][8] = 4; // links, which only the wide table shows
  CHECK(changed_rows(before, relinked, "", "table", 2).empty());
  CHECK(changed_rows(before, relinked, "", "wide", 2).size() == 1);

  const auto pushed = changed_rows(before, sample(4).report(), "", "table", 2);
  REQUIRE(pushed.size() == 1);
  CHECK(pushed[0] ==
        "+2.0s shard server-0/0  serving      7      -       4            -       0.1s");
  const auto as_json = changed_rows(before, sample(4).report(), "", "jsonl", 2);
  REQUIRE(as_json.size() == 1);
  CHECK(json::parse(as_json[0])["pushes_total"] == 4);
}

TEST_CASE("a watch reports rows that came and went") {
  const auto before = sample(3).report();
  auto after = before;
  after.sections[0].rows.pop_back();
  CHECK(changed_rows(before, after, "nodes", "table", 2) ==
        std::vector<std::string>{"+2.0s node server-0 gone"});
  CHECK(changed_rows(after, before, "nodes", "table", 2).size() == 1);
}
