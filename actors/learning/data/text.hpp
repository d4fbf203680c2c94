#pragma once

/// INTERNAL to `learning/data`: lines and numbers of text files.

#include "actors/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gradmesh::learning {

/// Takes the lines of a text one after another; "\n" and "\r\n" end a line, the last may lack it.
class line_scanner {
public:
  explicit line_scanner(std::string_view text) : rest_(text) {}

  /// The next line without its end, or nothing at the end of the text.
  std::optional<std::string_view> next();
  /// Of the line that `next` returned last, from 1.
  std::uint64_t number() const { return number_; }

private:
  std::string_view rest_;
  std::uint64_t number_ = 0;
};

/// Without blanks and tabs at both ends.
std::string_view trim(std::string_view text);

/// A finite number that a float can hold (a smaller one than the smallest becomes 0). On failure
/// says what is wrong with it: "'1.5x' is not a number".
result<float> parse_value(std::string_view text);

/// An integer, also when written as one with a fraction of zeros ("1.000").
result<std::int64_t> parse_label(std::string_view text);

/// `text` in quotes, cut when long and with unprintable bytes replaced.
std::string quoted(std::string_view text);

} // namespace gradmesh::learning
