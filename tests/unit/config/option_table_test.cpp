#include "config/config_table.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::config;

namespace {

struct server_part {
  std::uint32_t port = 0;
  std::string host;

  bool operator==(const server_part&) const = default;
};

struct client_part {
  std::uint32_t retries = 0;

  bool operator==(const client_part&) const = default;
};

struct small_config {
  server_part server;
  client_part client;

  bool operator==(const small_config&) const = default;
};

config_table<small_config> make_table() {
  config_table<small_config> t;
  auto server = t.section("server", &small_config::server, "Where it listens.");
  server.option("port", &server_part::port, whole_number<std::uint32_t>(1, 65'535), "7700",
                "The port.");
  server.option("host", &server_part::host, free_text("a host"), "localhost", "The host.");
  auto client = t.section("data-client", &small_config::client, "How it asks.");
  client.option("retries", &client_part::retries, whole_number<std::uint32_t>(0, 9), "3",
                "How often.");
  return t;
}

std::vector<finding> check_small(const small_config& c) {
  if (c.server.port == 1 && c.client.retries == 1)
    return {{"server.port", "is as small as the retries"}};
  return {};
}

loaded<small_config> parse(const std::string& text, const overrides& over = {}) {
  return make_table().parse(
      text, "node.ini", over, [](small_config&) {}, check_small);
}

/// The rendered diagnostics of a text that has some.
std::string faults(const std::string& text, const overrides& over = {}) {
  const auto result = parse(text, over);
  CHECK_FALSE(result.value.has_value());
  CHECK(result.options.empty());
  REQUIRE_FALSE(result.diagnostics.empty());
  return to_string(result.diagnostics);
}

} // namespace

TEST_CASE("an empty text gives the defaults") {
  const auto result = parse("");
  REQUIRE(result.value);
  CHECK(*result.value == small_config{{7700, "localhost"}, {3}});
  REQUIRE(result.options.size() == 3);
  CHECK(result.options[0].value == "7700");
  CHECK(to_string(result.options[0].from) == "default");
}

TEST_CASE("a file sets values and keeps their lines") {
  const auto result = parse("[server]\nhost = example.org\n[data-client]\nretries = 0\n");
  REQUIRE(result.value);
  CHECK(*result.value == small_config{{7700, "example.org"}, {0}});
  CHECK(to_string(result.options[1].from) == "node.ini:2");
  CHECK(to_string(result.options[2].from) == "node.ini:4");
}

TEST_CASE("a wrong type and a value out of range name file, line, key, value and limits") {
  CHECK(faults("[server]\n\nport = abc\n") ==
        "node.ini:3: error: server.port: 'abc' is not a whole number in 1..65535\n");
  CHECK(faults("[server]\nport = 65536\n") ==
        "node.ini:2: error: server.port: '65536' is not a whole number in 1..65535\n");
  CHECK(faults("[server]\nport =\n") ==
        "node.ini:2: error: server.port: '' is not a whole number in 1..65535\n");
}

TEST_CASE("an unknown key names the nearest known one") {
  CHECK(faults("[server]\nprot = 1\n") ==
        "node.ini:2: error: unknown key 'server.prot'; did you mean 'server.port'?\n");
  CHECK(faults("[server]\ncolour = red\n") == "node.ini:2: error: unknown key 'server.colour'\n");
}

TEST_CASE("a key below the wrong section names the right one") {
  CHECK(faults("[server]\nretries = 1\n") ==
        "node.ini:2: error: unknown key 'server.retries'; did you mean 'data-client.retries'?\n");
}

TEST_CASE("an unknown section is one fault, however many keys it has") {
  CHECK(faults("[sever]\nport = 1\nhost = x\n") ==
        "node.ini:1: error: unknown section [sever]; did you mean [server]?\n");
  CHECK(faults("[kitchen]\nstove = on\n") ==
        "node.ini:1: error: unknown section [kitchen]; there are [server], [data-client]\n");
}

TEST_CASE("a repeated key names both lines") {
  CHECK(faults("[server]\nport = 1\nhost = a\nport = 2\n") ==
        "node.ini:4: error: server.port is already set in line 2; keep one of the two lines\n");
  CHECK(faults("[server]\nport = 1\n[server]\nport = 1\n") ==
        "node.ini:4: error: server.port is already set in line 2; keep one of the two lines\n");
}

TEST_CASE("all faults come at once and in the order of their lines") {
  CHECK(faults("[server]\nnonsense\nport = x\n[kitchen]\n[data-client]\nretry = 1\nretries = 10\n",
               {{{"GRADMESH_SERVER_PORT", "y"}}, {"server.prot=1"}}) ==
        "node.ini:2: error: 'nonsense' is neither 'key = value' nor '[section]'\n"
        "node.ini:3: error: server.port: 'x' is not a whole number in 1..65535\n"
        "node.ini:4: error: unknown section [kitchen]; there are [server], [data-client]\n"
        "node.ini:6: error: unknown key 'data-client.retry'; did you mean 'data-client.retries'?\n"
        "node.ini:7: error: data-client.retries: '10' is not a whole number in 0..9\n"
        "environment GRADMESH_SERVER_PORT: error: server.port: 'y' is not a whole number in "
        "1..65535\n"
        "command line: error: unknown key 'server.prot'; did you mean 'server.port'?\n");
}

TEST_CASE("a fault between options is reported where the option was set") {
  CHECK(faults("[data-client]\nretries = 1\n[server]\nport = 1\n") ==
        "node.ini:4: error: server.port: is as small as the retries\n");
  CHECK(faults("[data-client]\nretries = 1\n", {{{"GRADMESH_SERVER_PORT", "1"}}, {}}) ==
        "environment GRADMESH_SERVER_PORT: error: server.port: is as small as the retries\n");
  CHECK(faults("[data-client]\nretries = 1\n", {{}, {"server.port=1"}}) ==
        "command line: error: server.port: is as small as the retries\n");
}

TEST_CASE("a dump parses back to the same values, with and without origins") {
  const auto result = parse("[server]\nhost = a#b ; [c] = d\n", {{}, {"data-client.retries=7"}});
  REQUIRE(result.value);
  CHECK(dump_ini(result.options) ==
        "[server]\nport = 7700\nhost = a#b ; [c] = d\n\n[data-client]\nretries = 7\n");
  const auto with_origin = dump_ini(result.options, true);
  CHECK(with_origin == "[server]\nport = 7700  # default\nhost = a#b ; [c] = d  # node.ini:2\n\n"
                       "[data-client]\nretries = 7  # command line\n");
  for (const auto& text : {dump_ini(result.options), with_origin}) {
    const auto again = parse(text);
    REQUIRE(again.value);
    CHECK(*again.value == *result.value);
  }
}

TEST_CASE("an origin cannot break out of its comment") {
  const resolved_option o{"server", "host", "", {origin::kind::file, "a\n[x]\nb", 3}};
  CHECK(dump_ini({o}, true) == "[server]\nhost =  # a\\x0a[x]\\x0ab:3\n");
}
