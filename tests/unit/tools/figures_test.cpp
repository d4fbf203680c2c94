#include "tools/figures.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace gradmesh::tools;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr float gap = std::numeric_limits<float>::quiet_NaN();

} // namespace

TEST_CASE("counts have three digits and a prefix") {
  CHECK(short_count(0) == "0");
  CHECK(short_count(7) == "7");
  CHECK(short_count(0.25) == "0.25");
  CHECK(short_count(999) == "999");
  CHECK(short_count(999.6) == "1.00k");
  CHECK(short_count(12'345) == "12.3k");
  CHECK(short_count(1'234'567) == "1.23M");
  CHECK(short_count(999'499) == "999k");
  CHECK(short_count(999'500) == "1.00M");
  CHECK(short_count(-1500) == "-1.50k");
  CHECK(short_count(1e20) == "100000P");
  CHECK(short_count(not_a_number) == "-");
}

TEST_CASE("bytes have decimal prefixes") {
  CHECK(short_bytes(812) == "812 B");
  CHECK(short_bytes(57.3e6) == "57.3 MB");
  CHECK(short_bytes(57.3e6, "") == "57.3MB");
  CHECK(short_bytes(-1) == "-");
}

TEST_CASE("durations change their unit where they would be rounded to the next") {
  CHECK(short_duration(0) == "0ms");
  CHECK(short_duration(0.035) == "35ms");
  CHECK(short_duration(0.0996) == "0.1s");
  CHECK(short_duration(12.44) == "12.4s");
  CHECK(short_duration(59.94) == "59.9s");
  CHECK(short_duration(59.96) == "1m00s");
  CHECK(short_duration(65) == "1m05s");
  CHECK(short_duration(3599.6) == "1h00m");
  CHECK(short_duration(7380) == "2h03m");
  CHECK(short_duration(3 * 86400 + 4 * 3600) == "3d04h");
  CHECK(short_duration(not_a_number) == "-");
  CHECK(short_duration(1e300) == "over_30_years");
}

TEST_CASE("digits are grouped by three") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(1'234'567) == "1,234,567");
}

TEST_CASE("a fraction is a percentage, an unknown one a dash") {
  CHECK(percent(0.8713, 2) == "87.13%");
  CHECK(percent(1, 0) == "100%");
  CHECK(percent(not_a_number, 1) == "-");
  CHECK(fixed(0.12345, 4) == "0.1235");
  CHECK(fixed(not_a_number, 4) == "-");
}

TEST_CASE("a sparkline runs from the least to the greatest value") {
  CHECK(sparkline(std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}, 8) == "▁▂▃▄▅▆▇█");
  CHECK(sparkline(std::vector<float>{2, 2}, 8) == "▁▁");
  CHECK(sparkline({}, 8).empty());
}

TEST_CASE("a sparkline averages what does not fit and leaves out what is not finite") {
  CHECK(sparkline(std::vector<float>{0, 0, 7, 7}, 2) == "▁█");
  CHECK(sparkline(std::vector<float>{0, gap, 7}, 3) == "▁ █");
  CHECK(sparkline(std::vector<float>{0, gap, 7, gap}, 2) == "▁█");
}

TEST_CASE("a progress bar is full at one and keeps its width") {
  CHECK(progress_bar(0, 4) == "░░░░");
  CHECK(progress_bar(0.5, 4) == "██░░");
  CHECK(progress_bar(1, 4) == "████");
  CHECK(progress_bar(7, 4) == "████");
  CHECK(progress_bar(not_a_number, 4) == "░░░░");
}

TEST_CASE("the time left follows from the pace so far") {
  CHECK(eta_seconds(25, 100, 2) == doctest::Approx(6));
  CHECK(eta_seconds(100, 100, 2) == 0);
  CHECK(eta_seconds(120, 100, 2) == 0);
  CHECK(std::isnan(eta_seconds(0, 100, 2)));
}
