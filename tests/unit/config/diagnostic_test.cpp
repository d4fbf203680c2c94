#include "config/diagnostic.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::config;

TEST_CASE("a diagnostic is rendered the way compilers do") {
  const diagnostic d{"node.ini", 12, "server.port: 'abc' is not a port number (1..65535)"};
  CHECK(to_string(d) == "node.ini:12: error: server.port: 'abc' is not a port number (1..65535)");
}

TEST_CASE("a diagnostic without a line names the file alone") {
  CHECK(to_string(diagnostic{"node.ini", 0, "node.roles: required"}) ==
        "node.ini: error: node.roles: required");
}

TEST_CASE("several diagnostics are rendered a line each") {
  CHECK(to_string(std::vector<diagnostic>{{"a", 1, "x"}, {"b", 2, "y"}}) ==
        "a:1: error: x\nb:2: error: y\n");
}

TEST_CASE("quoted text shows control characters as escapes") {
  CHECK(quoted("a\nb\x1b[0m\x7f") == "'a\\x0ab\\x1b[0m\\x7f'");
}

TEST_CASE("quoted text is cut to 80 bytes and never inside a character") {
  CHECK(quoted(std::string(80, 'a')) == "'" + std::string(80, 'a') + "'");
  CHECK(quoted(std::string(81, 'a')) == "'" + std::string(80, 'a') + "...'");
  // The two bytes of the o-umlaut are the 80th and 81st.
  CHECK(quoted(std::string(79, 'a') + "\xc3\xb6z") == "'" + std::string(79, 'a') + "...'");
}
