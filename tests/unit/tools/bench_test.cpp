#include "tools/bench/baseline/baseline.hpp"
#include "tools/bench/bench_row.hpp"
#include "tools/bench/link_bench.hpp"
#include "tools/bench/sizes.hpp"
#include "tools/bench/statistics.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace gradmesh;
using namespace gradmesh::tools::bench;

namespace {

bench_row one_way() {
  bench_row row;
  row.bench = "link";
  row.lane = "tcp";
  row.size_bytes = 64u << 10;
  row.op = "one-way";
  row.goodput_gb_per_s = 3;
  row.messages_per_s = 45'776;
  row.p50_us = 120;
  row.p99_us = 900;
  row.cpu_cores = 1.5;
  row.runs = 7;
  row.spread = 0.25;
  row.references = {{"raw_tcp", 4.0, std::nullopt}};
  return row;
}

bench_row round_trip() {
  auto row = one_way();
  row.op = "round-trip";
  row.goodput_gb_per_s.reset();
  row.references = {{"raw_tcp", std::nullopt, 80.0}};
  return row;
}

std::string refusal(const std::string& sizes) {
  const auto parsed = parse_sizes(sizes, 1u << 30);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.failure().code == errc::invalid_argument);
  return parsed.failure().text;
}

} // namespace

TEST_CASE("a median is the middle of the runs, or the mean of the two in the middle") {
  CHECK(median({3}) == 3);
  CHECK(median({9, 1, 5}) == 5);
  CHECK(median({1, 2, 4, 9}) == 3);
}

TEST_CASE("a quantile is the value below which a share of all lies") {
  std::vector<double> values;
  for (int i = 100; i >= 0; --i)
    values.push_back(i);
  CHECK(quantile(values, 0) == 0);
  CHECK(quantile(values, 0.5) == 50);
  CHECK(quantile(values, 0.99) == 99);
  CHECK(quantile(values, 1) == 100);
  CHECK(quantile({7}, 0.99) == 7);
}

TEST_CASE("the spread is that of the runs, relative to their median") {
  CHECK(spread({5}) == 0);
  CHECK(spread({4, 2, 3}) == doctest::Approx(2.0 / 3));
  CHECK(spread({0, 0}) == 0);
}

TEST_CASE("sizes are numbers with units of 1024") {
  const auto sizes = parse_sizes("64, 4K,1M,1G", 1u << 30);
  REQUIRE(sizes);
  CHECK(*sizes == std::vector<std::uint64_t>{64, 4096, 1u << 20, 1u << 30});
}

TEST_CASE("a size that is none is named") {
  CHECK(refusal("64,4X").starts_with("'4X' is not a size like 64, 4K or 16M, in 1..1073741824"));
  for (const auto* wrong : {"0", "-1", "K", "4KK", "2G", "1073741825", "99999999999999999999", ","})
    CHECK_FALSE(refusal(wrong).empty());
  CHECK(refusal("").starts_with("'' is not a list of sizes"));
}

TEST_CASE("a row is compared only with what a reference measured too") {
  CHECK(goodput_ratio(one_way(), one_way().references[0]) == 0.75);
  CHECK_FALSE(rtt_ratio(one_way(), one_way().references[0]));
  CHECK(rtt_ratio(round_trip(), round_trip().references[0]) == 1.5);
  CHECK_FALSE(goodput_ratio(round_trip(), round_trip().references[0]));
}

TEST_CASE("rows as JSON have every field, null where there is nothing") {
  const auto json = nlohmann::json::parse(to_json({one_way(), round_trip()}));
  REQUIRE(json.size() == 2);
  const std::vector<std::string> fields{"bench",
                                        "lane",
                                        "servers",
                                        "workers",
                                        "size_bytes",
                                        "op",
                                        "goodput_gb_per_s",
                                        "messages_per_s",
                                        "keys_per_s",
                                        "p50_us",
                                        "p99_us",
                                        "control_p99_us",
                                        "cpu_cores",
                                        "wire_bytes_per_byte",
                                        "runs",
                                        "spread",
                                        "raw_tcp_goodput_gb_per_s",
                                        "raw_tcp_rtt_us",
                                        "raw_tcp_goodput_ratio",
                                        "raw_tcp_rtt_ratio"};
  for (const auto& row : json) {
    CHECK(row.size() == fields.size());
    for (const auto& field : fields)
      CHECK(row.contains(field));
  }
  CHECK(json[0]["size_bytes"] == 65536);
  CHECK(json[0]["raw_tcp_goodput_ratio"] == 0.75);
  CHECK(json[0]["raw_tcp_rtt_us"].is_null());
  CHECK(json[0]["servers"].is_null());
  CHECK(json[1]["goodput_gb_per_s"].is_null());
  CHECK(json[1]["raw_tcp_rtt_ratio"] == 1.5);
  CHECK(to_json({}) == "[]\n");
}

TEST_CASE("a table of rows leaves out what no row has") {
  CHECK(to_table({one_way(), round_trip()}) ==
        "BENCH  LANE  SIZE  OP          GB/S  MSG/S  P50_US  P99_US  CORES  SPREAD  RAW_TCP_GB/S  "
        "RAW_TCP_US  RATIO\n"
        "link   tcp    64K  one-way     3.00  45.8k   120.0   900.0   1.50     25%          4.00  "
        "         -   0.75\n"
        "link   tcp    64K  round-trip     -  45.8k   120.0   900.0   1.50     25%             -  "
        "      80.0   1.50\n");
}

TEST_CASE("the window is 8 MiB of frames, but never one frame nor thousands") {
  CHECK(window_of(64) == 1024);
  CHECK(window_of(64u << 10) == 128);
  CHECK(window_of(1u << 20) == 8);
  CHECK(window_of(16u << 20) == 2);
}

TEST_CASE("memory is copied at some speed, and nobody answers") {
  for (const bool touch : {false, true}) {
    const auto copy = make_memcpy(touch);
    const auto goodput = copy->goodput(4096, std::chrono::milliseconds(1));
    REQUIRE(goodput);
    CHECK(*goodput > 0);
    const auto rtt = copy->rtt_us(4096, std::chrono::milliseconds(1));
    REQUIRE(rtt);
    CHECK_FALSE(*rtt);
  }
}
