#include "config/job_config.hpp"
#include "config/node_config.hpp"
#include "config/value_types.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace gradmesh::config;

namespace {

/// Checks that each text is refused with a message that quotes it and says what is accepted.
template <class T>
void check_refused(const value_type<T>& type, const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    CAPTURE(text);
    const auto value = type.parse(text);
    REQUIRE_FALSE(value);
    CHECK(value.failure().text == "'" + text + "' is not " + type.accepts);
  }
}

template <class T>
std::string canonical(const value_type<T>& type, const std::string& text) {
  const auto value = type.parse(text);
  REQUIRE(value);
  return type.format(*value);
}

} // namespace

TEST_CASE("whole numbers are digits within their range") {
  const auto type = whole_number<std::uint32_t>(1, 100);
  CHECK(type.accepts == "a whole number in 1..100");
  CHECK(canonical(type, "1") == "1");
  CHECK(canonical(type, "100") == "100");
  CHECK(canonical(type, "007") == "7");
  check_refused(type, {"", "0", "101", "-1", "+1", "1.5", "1e2", "0x10", " 1", "1 ", "abc", "1a",
                       "18446744073709551617"});
}

TEST_CASE("a 64-bit whole number reaches the last value") {
  const auto type = whole_number<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max());
  CHECK(canonical(type, "18446744073709551615") == "18446744073709551615");
  check_refused(type, {"18446744073709551616"});
}

TEST_CASE("durations are counts of their unit") {
  const auto type = whole_number<std::chrono::seconds>(1, 60, "seconds");
  const auto value = type.parse("30");
  REQUIRE(value);
  CHECK(*value == std::chrono::seconds(30));
  CHECK(type.format(*value) == "30");
  check_refused(type, {"0", "61", "1s"});
}

TEST_CASE("a position counts from either end and is never 0") {
  const auto type = position(10);
  CHECK(type.accepts == "a position in 1..10, or in -10..-1 from the end");
  for (const std::string text : {"1", "10", "-1", "-10"})
    CHECK(canonical(type, text) == text);
  check_refused(type, {"", "0", "-0", "11", "-11", "+1", "1.0", "x", "99999999999"});
}

TEST_CASE("powers of two are told from other numbers") {
  const auto type = power_of_two(1, 1024);
  for (const std::string text : {"1", "2", "64", "1024"})
    CHECK(canonical(type, text) == text);
  check_refused(type, {"0", "3", "1023", "2048"});
}

TEST_CASE("real numbers keep their exact value through text") {
  const auto type = real_number({.min = 0, .max = 1});
  for (const double value : {0.0, 1.0, 0.1, 0.00392156862745098, 1e-8, 1.0 / 3, 5e-324}) {
    const auto back = type.parse(type.format(value));
    REQUIRE(back);
    CHECK(*back == value);
  }
  check_refused(type, {"", "-0.1", "1.0001", "nan", "inf", "0,5", "0.5x", "1e999"});
}

TEST_CASE("the open ends of a range are refused") {
  const auto type = real_number({.min = 0, .max = 1, .min_open = true, .max_open = true});
  CHECK(type.accepts == "a number above 0 and below 1");
  CHECK(canonical(type, "0.5") == "0.5");
  check_refused(type, {"0", "1"});
}

TEST_CASE("truth has several spellings and one canonical form") {
  for (const std::string text : {"true", "yes", "on", "1"})
    CHECK(canonical(truth(), text) == "true");
  for (const std::string text : {"false", "no", "off", "0"})
    CHECK(canonical(truth(), text) == "false");
  check_refused(truth(), {"", "TRUE", "2", "maybe"});
}

TEST_CASE("lists of numbers are trimmed, limited and complete") {
  const auto type = number_list(1, 1000, 3);
  CHECK(canonical(type, "256, 128 ,1") == "256,128,1");
  CHECK(canonical(type, "") == "");
  check_refused(type, {"1,2,3,4", "1,,2", "1,", ",1", ",", "0", "1001", "1 2", "a"});
}

TEST_CASE("lists of names refuse repeats and unknown names") {
  const auto type = some_of<role>();
  CHECK(canonical(type, "worker , data-server") == "worker,data-server");
  CHECK(canonical(type, "") == "");
  check_refused(type, {"worker,worker", "worker,cook", "worker,", "data_server"});
}

TEST_CASE("one of several names is read exactly") {
  const auto type = one_of<strategy>();
  CHECK(type.accepts == "one of bsp, ssp, bounded-delay, async");
  CHECK(canonical(type, "async") == "async");
  check_refused(type, {"", "BSP", "bs", "bsp,async"});
}

TEST_CASE("names fit table cells, files and handshakes") {
  CHECK(canonical(name_text(false), "worker-1.a_b+c") == "worker-1.a_b+c");
  CHECK(canonical(name_text(false), std::string(255, 'a')) == std::string(255, 'a'));
  CHECK(canonical(name_text(true), "") == "");
  check_refused(name_text(false), {"", "a b", "a/b", "caf\xc3\xa9"});
  CHECK_FALSE(name_text(true).parse(std::string(256, 'a')));
}

TEST_CASE("an address to connect to needs a port, one to listen at does not") {
  CHECK(canonical(address(true), "localhost:0") == "localhost:0");
  CHECK(canonical(optional_address(false), "[::1]:7700") == "[::1]:7700");
  CHECK(canonical(optional_address(false), "") == "");
  check_refused(optional_address(false), {"localhost:0"});
  check_refused(address(false), {"localhost:0"});
  CHECK_FALSE(address(true).parse(""));
  const auto bad = address(true).parse("localhost:abc");
  REQUIRE_FALSE(bad);
  CHECK(bad.failure().text ==
        "'localhost:abc' is not HOST:PORT: 'abc' is not a port number (0..65535)");
}
