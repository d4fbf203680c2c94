#include "config/endpoint.hpp"

#include "config/diagnostic.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace gradmesh::config {

namespace {

constexpr std::size_t host_bytes_max = 253; // RFC 1035, in presentation form

using ipv4_bytes = std::array<unsigned char, 4>;
using ipv6_bytes = std::array<unsigned char, 16>;

std::optional<ipv4_bytes> parse_ipv4(const std::string& host) {
  ipv4_bytes bytes{};
  if (inet_pton(AF_INET, host.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

std::optional<ipv6_bytes> parse_ipv6(const std::string& host) {
  ipv6_bytes bytes{};
  if (inet_pton(AF_INET6, host.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_host_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_';
}

/// A host name, or an IPv4 address. Digits and dots alone are an address, never a name: resolvers
/// read "127.1" and "1234" as addresses too, in ways that surprise.
bool is_name_or_ipv4(const std::string& host) {
  if (host.empty() || host.size() > host_bytes_max) return false;
  if (std::all_of(host.begin(), host.end(), [](char c) { return is_digit(c) || c == '.'; }))
    return parse_ipv4(host).has_value();
  return host.front() != '-' && host.front() != '.' &&
         std::all_of(host.begin(), host.end(), is_host_character);
}

error not_an_endpoint(std::string_view text, std::string_view why) {
  return {errc::invalid_argument, fmt::format("{} is not HOST:PORT: {}", quoted(text), why)};
}

} // namespace

result<endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']'))
    return not_an_endpoint(text, "there is no ':' with a port after it");
  std::string host(text.substr(0, colon));
  const auto port_text = text.substr(colon + 1);

  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    // The NUL check: inet_pton stops at one.
    if (host.find('\0') != std::string::npos || !parse_ipv6(host))
      return not_an_endpoint(text, fmt::format("{} is not an IPv6 address", quoted(host)));
  } else if (host.find(':') != std::string::npos) {
    return not_an_endpoint(text, "an IPv6 address needs brackets, as in [::1]:7700");
  } else if (!is_name_or_ipv4(host)) {
    return not_an_endpoint(
        text, fmt::format("{} is neither a host name nor an IPv4 address", quoted(host)));
  }

  std::uint16_t port = 0;
  const auto [end, failure] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (failure != std::errc{} || end != port_text.data() + port_text.size())
    return not_an_endpoint(text,
                           fmt::format("{} is not a port number (0..65535)", quoted(port_text)));
  return endpoint{std::move(host), port};
}

std::string to_string(const endpoint& e) {
  if (e.host.find(':') != std::string::npos) return fmt::format("[{}]:{}", e.host, e.port);
  return fmt::format("{}:{}", e.host, e.port);
}

bool is_loopback(const endpoint& e) {
  if (e.host == "localhost") return true;
  if (const auto v4 = parse_ipv4(e.host)) return (*v4)[0] == 127;
  const auto v6 = parse_ipv6(e.host);
  if (!v6) return false;
  constexpr ipv6_bytes loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  // ::ffff:127.x.y.z, an IPv4 address in IPv6 form (RFC 4291, 2.5.5.2).
  constexpr std::array<unsigned char, 13> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
  return *v6 == loopback || std::equal(mapped.begin(), mapped.end(), v6->begin());
}

} // namespace gradmesh::config
