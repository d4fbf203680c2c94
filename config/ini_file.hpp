#pragma once

/// The scanner of INI text. Boost's own parse_config_file gives no line numbers, stops at the first
/// fault and drops text after any '#', so lines are scanned here.
///
/// Grammar, by line (LF or CRLF; blanks are spaces and tabs; a UTF-8 byte order mark is skipped):
///   file     = { line }
///   line     = blanks [ section | entry ] blanks [ comment ]
///   section  = "[" blanks name blanks "]"          name: letters, digits, '_' and '-'
///   entry    = key blanks "=" blanks value         the key must stand below a section
///   comment  = ("#" | ";") anything                at the beginning of a line
///            | blank "#" anything                  after something else
/// A value is everything else up to the end of the line, so `a#b;c = d` is a value. There are no
/// quotes and no escapes; `fits_ini()` says which values can be written.
///
/// Failure: each malformed line is one diagnostic and the scan goes on. Keys below a malformed
/// section line are skipped, since nobody can say whose they are.

#include "actors/error.hpp"
#include "config/diagnostic.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::config {

/// Longest text that is scanned. The longest real files are the samples, below 16 KiB.
inline constexpr std::size_t max_ini_bytes = 64 * 1024;

struct ini_section {
  std::string name;
  std::size_t line = 0;
};

struct ini_entry {
  std::string section;
  std::string key;
  std::string value;
  std::size_t line = 0;
};

struct ini_file {
  std::vector<ini_section> sections; // as often as they are opened
  std::vector<ini_entry> entries;    // in the order of the file, repeats included
  std::vector<diagnostic> diagnostics;
};

/// Scans text; `name` stands for the file in diagnostics.
ini_file scan_ini(std::string_view text, const std::string& name);

/// Reads a whole file. Errors: `not_found`, `io_failed`, `limit_exceeded` (over max_ini_bytes);
/// the texts do not repeat the path.
result<std::string> read_ini(const std::string& path);

/// Whether `key = value` scans back to this value: no control characters (tabs inside are fine), no
/// blanks at its ends, no '#' at its beginning or after a blank.
bool fits_ini(std::string_view value);

/// Without the blanks at both ends.
std::string_view trim(std::string_view text);

} // namespace gradmesh::config
