#include "tests/unit/tools/text_stream.hpp"
#include "tools/terminal.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::tools;

TEST_CASE("a stream that is no terminal is neither redrawn nor coloured") {
  const text_stream stream;
  const auto found = terminal_of(stream.file());
  CHECK_FALSE(found.interactive);
  CHECK_FALSE(found.colour);
  CHECK(found.columns == 80);
}

TEST_CASE("colour is used only where there is some") {
  terminal where;
  CHECK(paint(where, style::red, "failed") == "failed");
  where.colour = true;
  CHECK(paint(where, style::red, "failed") == "\x1b[31mfailed\x1b[0m");
}

TEST_CASE("the width counts characters and no colour sequences") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("▁▂é") == 3);
  CHECK(display_width("\x1b[1mab\x1b[0m") == 2);
  CHECK(display_width("\x1b[1") == 0);
}

TEST_CASE("a text is cut between characters and its colour still ends") {
  CHECK(fit("abc", 5) == "abc");
  CHECK(fit("abcdef", 3) == "abc");
  CHECK(fit("▁▂▃", 2) == "▁▂");
  CHECK(fit("\x1b[1mabc\x1b[0m", 2) == "\x1b[1mab\x1b[0m");
}

TEST_CASE("a block is drawn over the one before") {
  const text_stream stream;
  redrawn_block block(stream.file());
  const terminal where{.interactive = true, .columns = 80, .rows = 24};
  block.draw({"one", "two"}, where);
  CHECK(stream.text() == "\rone\x1b[K\n\rtwo\x1b[K\n\x1b[J");
  const auto before = stream.text().size();
  block.draw({"three"}, where);
  CHECK(stream.text().substr(before) == "\x1b[2A\rthree\x1b[K\n\x1b[J");
}

TEST_CASE("a line above a block stays, and the block is drawn anew below it") {
  const text_stream stream;
  redrawn_block block(stream.file());
  const terminal where{.interactive = true, .columns = 80, .rows = 24};
  block.draw({"one", "two"}, where);
  auto before = stream.text().size();
  block.print_above("news");
  CHECK(stream.text().substr(before) == "\x1b[2A\r\x1b[Jnews\n");
  before = stream.text().size();
  block.draw({"one"}, where);
  CHECK(stream.text().substr(before) == "\rone\x1b[K\n\x1b[J");
  before = stream.text().size();
  block.leave();
  block.print_above("late news");
  CHECK(stream.text().substr(before) == "late news\n");
}

TEST_CASE("a block stays inside the window") {
  const text_stream stream;
  redrawn_block block(stream.file());
  block.draw({"abcdef", "b", "c", "d"}, {.interactive = true, .columns = 5, .rows = 3});
  CHECK(stream.text() == "\rabcd\x1b[K\n\rb\x1b[K\n\x1b[J");
}
