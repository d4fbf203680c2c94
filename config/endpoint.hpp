#pragma once

/// HOST:PORT as written in configurations and on command lines. Text only: nothing is resolved and
/// no socket is opened here.

#include "actors/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace gradmesh::config {

struct endpoint {
  /// A name or an IPv4 or IPv6 address; an IPv6 address stands here without its brackets.
  std::string host;
  /// 0 = any free port (only meaningful where something listens).
  std::uint16_t port = 0;

  bool operator==(const endpoint&) const = default;
};

/// Parses "localhost:7700", "127.0.0.1:0", "[::1]:7700". Port 0 is accepted.
/// Errors: `errc::invalid_argument`; the text begins with the quoted input.
result<endpoint> parse_endpoint(std::string_view text);

/// The inverse of parse_endpoint.
std::string to_string(const endpoint& e);

/// True for "localhost", 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104. Any other name is not, whatever
/// it would resolve to.
bool is_loopback(const endpoint& e);

} // namespace gradmesh::config
