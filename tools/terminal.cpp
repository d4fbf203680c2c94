#include "tools/terminal.hpp"

#include <algorithm>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace gradmesh::tools {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

const char* sequence_of(style s) {
  switch (s) {
  case style::bold:
    return "\x1b[1m";
  case style::dim:
    return "\x1b[2m";
  case style::red:
    return "\x1b[31m";
  case style::green:
    return "\x1b[32m";
  }
  return "";
}

/// Bytes of the colour sequence that `text` begins with, or 0.
std::size_t colour_sequence(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const auto end = text.find('m');
  return end == std::string_view::npos ? text.size() : end + 1;
}

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; // not a UTF-8 continuation byte
}

} // namespace

terminal terminal_of(std::FILE* out) {
  terminal found;
  const int fd = fileno(out);
  const char* type = std::getenv("TERM");
  found.interactive =
      fd >= 0 && isatty(fd) == 1 && (type == nullptr || std::string_view(type) != "dumb");
  found.colour = found.interactive && !is_set("NO_COLOR");
  winsize size{};
  if (found.interactive && ioctl(fd, TIOCGWINSZ, &size) == 0) {
    if (size.ws_col > 0) found.columns = size.ws_col;
    if (size.ws_row > 0) found.rows = size.ws_row;
  }
  return found;
}

std::string paint(const terminal& where, style s, std::string_view text) {
  if (!where.colour) return std::string(text);
  return sequence_of(s) + std::string(text) + "\x1b[0m";
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    if (const auto skip = colour_sequence(text); skip > 0) {
      text.remove_prefix(skip);
      continue;
    }
    if (begins_character(text.front())) ++width;
    text.remove_prefix(1);
  }
  return width;
}

std::string fit(std::string_view text, std::size_t columns) {
  std::string kept;
  std::size_t width = 0;
  while (!text.empty()) {
    std::size_t bytes = colour_sequence(text);
    bool keep = true;
    if (bytes == 0) {
      bytes = 1;
      while (bytes < text.size() && !begins_character(text[bytes]))
        ++bytes;
      keep = ++width <= columns;
    }
    if (keep) kept += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return kept;
}

void redrawn_block::draw(const std::vector<std::string>& lines, const terminal& where) {
  std::string text;
  if (drawn_ > 0) text = "\x1b[" + std::to_string(drawn_) + "A";
  // One row stays free for the cursor, one column for terminals that wrap in the last.
  const auto count = std::min(lines.size(), std::max<std::size_t>(where.rows, 2) - 1);
  const auto columns = std::max<std::size_t>(where.columns, 2) - 1;
  for (std::size_t i = 0; i < count; ++i)
    text += "\r" + fit(lines[i], columns) + "\x1b[K\n";
  text += "\x1b[J"; // what is left of a longer block
  drawn_ = count;
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
}

void redrawn_block::print_above(const std::string& line) {
  std::string text;
  if (drawn_ > 0) text = "\x1b[" + std::to_string(drawn_) + "A\r\x1b[J";
  drawn_ = 0;
  std::fputs((text + line + "\n").c_str(), out_);
  std::fflush(out_);
}

} // namespace gradmesh::tools
