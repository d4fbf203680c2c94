#pragma once

/// What an output stream can show, and a block of lines that is redrawn in place.
///
/// A stream that is no terminal (a pipe, a file, TERM=dumb) gets plain text: no cursor movement, no
/// colour. Text is UTF-8; every character is taken to be one column wide.

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::tools {

struct terminal {
  bool interactive = false; // the cursor can be moved
  bool colour = false;
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// Asks the stream anew, so that a resized window is noticed. Colour only on a terminal, and not
/// when NO_COLOR is set to anything (https://no-color.org).
terminal terminal_of(std::FILE* out);

enum class style { bold, dim, red, green };

/// `text` in a style, or as it is where there is no colour.
std::string paint(const terminal& where, style s, std::string_view text);

/// Columns that the text takes; colour sequences take none.
std::size_t display_width(std::string_view text);

/// The text cut to so many columns; colour sequences are kept.
std::string fit(std::string_view text, std::size_t columns);

/// Lines that replace those drawn before. For a terminal only.
class redrawn_block {
public:
  explicit redrawn_block(std::FILE* out) : out_(out) {}

  /// Lines are cut to the window's width, and left out at the end when they are more than it has
  /// rows: a line that wraps or scrolls away could not be redrawn.
  void draw(const std::vector<std::string>& lines, const terminal& where);

  /// A line that stays, in the place of the block, which is drawn below it next time.
  void print_above(const std::string& line);

  /// What is drawn stays; what is drawn next comes below it.
  void leave() { drawn_ = 0; }

private:
  std::FILE* out_;
  std::size_t drawn_ = 0;
};

} // namespace gradmesh::tools
