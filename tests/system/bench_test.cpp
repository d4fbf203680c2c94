/// `gradmesh bench` as its users call it. The figures of such short runs mean nothing; that all of
/// them are there does.

#include "tests/support/process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace std::chrono_literals;
using gradmesh::testing::process;

namespace {

constexpr auto patience = 60s;

std::vector<std::string> bench_link(std::vector<std::string> more) {
  more.insert(more.begin(), {GRADMESH_PROGRAM, "bench", "link"});
  return more;
}

/// As short as can be.
std::vector<std::string> short_bench_link(std::vector<std::string> more) {
  more.insert(more.end(), {"--runs", "1", "--seconds", "0.01"});
  return bench_link(std::move(more));
}

} // namespace

TEST_CASE("bench link measures each lane next to its baselines") {
  std::string lane;
  std::vector<std::string> references{"raw_tcp"};
  SUBCASE("tcp") {
    lane = "tcp";
  }
  SUBCASE("tls") {
    lane = "tls";
    references.emplace_back("openssl");
  }
  SUBCASE("shm") {
    lane = "shm";
    references.emplace_back("memcpy");
  }
  process bench(short_bench_link({"--lane", lane, "--sizes", "1,100K", "-o", "json", "--touch"}));
  REQUIRE_MESSAGE(bench.wait_end(patience) == 0, bench.all());
  const auto rows = nlohmann::json::parse(bench.out());
  REQUIRE(rows.size() == 4);
  for (const auto& row : rows) {
    const bool streamed = row["op"] == "one-way";
    CHECK(row["lane"] == lane);
    CHECK(row["messages_per_s"] > 0);
    CHECK(row["p50_us"] > 0);
    CHECK(row["p99_us"] >= row["p50_us"]);
    CHECK(row["cpu_cores"] >= 0);
    CHECK(row["goodput_gb_per_s"].is_null() != streamed);
    for (const auto& name : references) {
      const auto& figure = row[name + (streamed ? "_goodput_ratio" : "_rtt_ratio")];
      const bool is_measured = streamed || name != "memcpy";
      CHECK(figure.is_null() != is_measured);
      if (is_measured) CHECK(figure > 0);
    }
  }
  CHECK(rows[0]["size_bytes"] == 1);
  CHECK(rows[3]["size_bytes"] == 102400);
  CHECK(rows[3]["op"] == "round-trip");
}

TEST_CASE("bench link shows a table unless it is asked for something else") {
  process bench(short_bench_link({"--sizes", "4K"}));
  REQUIRE_MESSAGE(bench.wait_end(patience) == 0, bench.all());
  CHECK(bench.out().starts_with("BENCH  LANE  SIZE  OP"));
  CHECK(bench.out().find("\nlink   tcp     4K  round-trip") != std::string::npos);
}

TEST_CASE("bench link says what is wrong with its options") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong{
      {{"--lane", "udp"}, "--lane 'udp' is not one of tcp, tls, shm"},
      {{"--sizes", "4Q"}, "--sizes '4Q' is not a size"},
      {{"--seconds", "0"}, "--seconds has to be"},
      {{"--runs", "0"}, "--runs is not in"},
      {{"-o", "csv"}, "-o 'csv' is neither"}};
  for (const auto& [arguments, text] : wrong) {
    process bench(bench_link(arguments));
    CHECK(bench.wait_end(patience) == 2);
    CHECK(bench.err().find(text) != std::string::npos);
  }
}

TEST_CASE("bench push-pull measures what backups cost, in time and in bytes") {
  process bench({GRADMESH_PROGRAM, "bench", "push-pull", "--servers", "2", "--replicated", "--lane",
                 "tcp", "--sizes", "64K", "--runs", "1", "--seconds", "0.05", "-o", "json"});
  REQUIRE_MESSAGE(bench.wait_end(patience) == 0, bench.all());
  nlohmann::json by_op;
  for (const auto& row : nlohmann::json::parse(bench.out()))
    by_op[row["op"]] = row;
  REQUIRE(by_op.size() == 5);
  CHECK(by_op["push-replicated"]["unreplicated_goodput_ratio"] > 0);
  // What is pushed goes over a link once, and to a backup once more at most.
  CHECK(by_op["push"]["wire_bytes_per_byte"] > 1);
  CHECK(by_op["push"]["wire_bytes_per_byte"] < 1.2);
  CHECK(by_op["push-replicated"]["wire_bytes_per_byte"] > by_op["push"]["wire_bytes_per_byte"]);
  CHECK(by_op["push-replicated"]["wire_bytes_per_byte"] < 2.2);
}

TEST_CASE("bench lists what it can measure") {
  process bench({GRADMESH_PROGRAM, "bench", "--help"});
  CHECK(bench.wait_end(patience) == 0);
  CHECK(bench.out().find("gradmesh bench link") != std::string::npos);
  CHECK(bench.out().find("link-peer") == std::string::npos);
}
