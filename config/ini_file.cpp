#include "config/ini_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>

namespace gradmesh::config {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

/// Where a comment begins, or the end of the line.
std::size_t comment_start(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i)
    if (line[i] == '#' && (i == 0 || is_blank(line[i - 1]))) return i;
  return line.size();
}

class scanner {
public:
  explicit scanner(std::string name) : name_(std::move(name)) {}

  void scan(std::string_view text) {
    while (!text.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      ++line_;
      scan_line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  void fail(std::size_t line, std::string text) {
    file_.diagnostics.push_back({name_, line, std::move(text)});
  }

  ini_file take() { return std::move(file_); }

private:
  void scan_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trim(line);
    if (line.empty() || line.front() == ';') return;
    line = trim(line.substr(0, comment_start(line)));
    if (line.empty()) return;
    if (const auto bad = std::find_if(line.begin(), line.end(), is_control); bad != line.end())
      return fail(line_, fmt::format("control character 0x{:02x} in {}; is this a text file?",
                                     static_cast<unsigned char>(*bad), quoted(line)));
    if (line.front() == '[')
      scan_section(line);
    else
      scan_entry(line);
  }

  void scan_section(std::string_view line) {
    section_.reset();
    in_malformed_section_ = true;
    const auto name = line.ends_with(']') ? trim(line.substr(1, line.size() - 2)) : "";
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_character))
      return fail(line_, fmt::format("{} is not a section; write [name] (its keys are skipped)",
                                     quoted(line)));
    in_malformed_section_ = false;
    section_ = name;
    file_.sections.push_back({std::string(name), line_});
  }

  void scan_entry(std::string_view line) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos)
      return fail(line_, fmt::format("{} is neither 'key = value' nor '[section]'", quoted(line)));
    const auto key = trim(line.substr(0, equals));
    if (key.empty()) return fail(line_, fmt::format("no key before '=' in {}", quoted(line)));
    if (in_malformed_section_) return;
    if (!section_)
      return fail(line_, fmt::format("{} stands before the first [section]", quoted(key)));
    file_.entries.push_back(
        {*section_, std::string(key), std::string(trim(line.substr(equals + 1))), line_});
  }

  std::string name_;
  std::size_t line_ = 0;
  std::optional<std::string> section_;
  bool in_malformed_section_ = false;
  ini_file file_;
};

} // namespace

ini_file scan_ini(std::string_view text, const std::string& name) {
  scanner s(name);
  if (text.size() > max_ini_bytes) {
    s.fail(0, fmt::format("{} bytes are more than a configuration may have ({})", text.size(),
                          max_ini_bytes));
    return s.take();
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  s.scan(text);
  return s.take();
}

result<std::string> read_ini(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return {errc::not_found,
            fmt::format("cannot open the file: {}", std::generic_category().message(errno))};
  // One byte more than allowed, so that a file at the limit is told from one beyond it.
  std::string text(max_ini_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad())
    return {errc::io_failed,
            fmt::format("cannot read the file: {}", std::generic_category().message(errno))};
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > max_ini_bytes)
    return {errc::limit_exceeded,
            fmt::format("the file is larger than a configuration may be ({} bytes); is it one?",
                        max_ini_bytes)};
  return text;
}

bool fits_ini(std::string_view value) {
  return trim(value).size() == value.size() && comment_start(value) == value.size() &&
         std::none_of(value.begin(), value.end(), is_control);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

} // namespace gradmesh::config
