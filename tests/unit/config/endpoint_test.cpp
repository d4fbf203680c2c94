#include "config/endpoint.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::config;
using gradmesh::errc;

TEST_CASE("an endpoint is read and written in the same form") {
  for (const std::string text : {"localhost:7700", "127.0.0.1:0", "[::1]:65535", "node-1.lan:80",
                                 "[2001:db8::7]:7700", "my_host:1"}) {
    CAPTURE(text);
    const auto e = parse_endpoint(text);
    REQUIRE(e);
    CHECK(to_string(*e) == text);
  }
  const auto v6 = parse_endpoint("[::1]:7700");
  REQUIRE(v6);
  CHECK(v6->host == "::1");
  CHECK(v6->port == 7700);
}

TEST_CASE("what is not an endpoint is refused with the reason") {
  struct bad {
    std::string text, reason;
  };
  for (const auto& b :
       {bad{"localhost", "no ':'"}, bad{"localhost:", "'' is not a port number"},
        bad{"localhost:abc", "'abc' is not a port number (0..65535)"},
        bad{"localhost:65536", "'65536' is not a port number"},
        bad{"localhost:-1", "'-1' is not a port number"},
        bad{"localhost: 80", "' 80' is not a port number"}, bad{"::1:7700", "needs brackets"},
        bad{"[::1]", "no ':' with a port"}, bad{"[::1:7700", "needs brackets"},
        bad{"[]:7700", "'' is not an IPv6 address"},
        bad{"[localhost]:7700", "'localhost' is not an IPv6 address"},
        bad{":7700", "neither a host name nor"}, bad{"a b:7700", "neither a host name nor"},
        bad{"256.0.0.1:7700", "neither a host name nor"},
        bad{"127.1:7700", "neither a host name nor"}, bad{"-x:7700", "neither a host name nor"},
        bad{std::string(254, 'a') + ":7700", "neither a host name nor"},
        bad{std::string("[::1\0]:7700", 11), "is not an IPv6 address"}}) {
    CAPTURE(b.text);
    const auto e = parse_endpoint(b.text);
    REQUIRE_FALSE(e);
    CHECK(e.failure().code == errc::invalid_argument);
    CAPTURE(e.failure().text);
    CHECK(e.failure().text.find(b.reason) != std::string::npos);
  }
}

TEST_CASE("loopback is told from every other address, names included") {
  for (const std::string host :
       {"localhost", "127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"}) {
    CAPTURE(host);
    CHECK(is_loopback({host, 1}));
  }
  for (const std::string host : {"0.0.0.0", "::", "128.0.0.1", "10.0.0.1", "::2", "localhost.lan",
                                 "127.example.org", "::ffff:10.0.0.1", "::127.0.0.1"}) {
    CAPTURE(host);
    CHECK_FALSE(is_loopback({host, 1}));
  }
}
