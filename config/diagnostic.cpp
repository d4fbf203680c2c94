#include "config/diagnostic.hpp"

#include <fmt/format.h>

namespace gradmesh::config {

namespace {

constexpr std::size_t quoted_bytes_max = 80;

bool is_utf8_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

} // namespace

std::string to_string(const diagnostic& d) {
  const auto file = printable(d.file);
  if (d.line == 0) return fmt::format("{}: error: {}", file, d.text);
  return fmt::format("{}:{}: error: {}", file, d.line, d.text);
}

std::string to_string(const std::vector<diagnostic>& all) {
  std::string lines;
  for (const auto& d : all)
    lines += to_string(d) + '\n';
  return lines;
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

std::string quoted(std::string_view text) {
  if (text.size() <= quoted_bytes_max) return fmt::format("'{}'", printable(text));
  auto end = quoted_bytes_max;
  while (end > 0 && is_utf8_continuation(text[end]))
    --end;
  return fmt::format("'{}...'", printable(text.substr(0, end)));
}

} // namespace gradmesh::config
