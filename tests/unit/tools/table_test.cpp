#include "tools/table.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::tools;

TEST_CASE("text is aligned left, numbers right, and lines end without blanks") {
  const table t{{{"NAME"}, {"CLOCK", true}, {"STATE"}},
                {{"server-0/0", "7", "idle"}, {"s", "1234567", "serving"}}};
  CHECK(render(t) == std::vector<std::string>{"NAME          CLOCK  STATE",
                                              "server-0/0        7  idle",
                                              "s           1234567  serving"});
}

TEST_CASE("a cell has no blanks, is never empty and cannot steer the terminal") {
  CHECK(to_cell("two words") == "two_words");
  CHECK(to_cell("") == "-");
  CHECK(to_cell("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
}

TEST_CASE("columns are as wide as characters, not bytes") {
  const table t{{{"A"}, {"B"}}, {{"▁▂▃", "x"}, {"abc", "y"}}};
  CHECK(render(t) == std::vector<std::string>{"A    B", "▁▂▃  x", "abc  y"});
}

TEST_CASE("a table without rows is its heading") {
  CHECK(render({{{"NAME"}, {"AGE", true}}, {}}) == std::vector<std::string>{"NAME  AGE"});
}

TEST_CASE("a CSV field is quoted where it has to be") {
  CHECK(csv_record({"a", "", "1.5"}) == "a,,1.5");
  CHECK(csv_record({"a,b", "say \"x\"", "two\nlines"}) ==
        "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"");
}
