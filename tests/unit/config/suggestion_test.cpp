#include "config/suggestion.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::config;

TEST_CASE("the edit distance counts insertions, deletions and replacements") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("abc", "abc") == 0);
  CHECK(edit_distance("abc", "abd") == 1);
  CHECK(edit_distance("ab", "ba") == 2);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("the nearest name is suggested when it is near enough") {
  const std::vector<std::string> known{"server.port", "server.host", "job.epochs"};
  CHECK(closest("server.prot", known) == "server.port");
  CHECK(closest("job.epoch", known) == "job.epochs");
  CHECK(closest("model.hidden", known) == "");
  CHECK(closest("", known) == "");
}

TEST_CASE("an absurdly long name has no suggestion") {
  const std::string name(129, 'a');
  CHECK(closest(name, {name}) == "");
}
