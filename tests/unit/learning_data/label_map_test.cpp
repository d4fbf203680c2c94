#include "actors/learning/data/label_map.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::learning;

TEST_CASE("distinct label values become classes in the order of their values") {
  const std::vector<std::int64_t> labels{10, -1, 2, 10, -1};
  const auto map = label_map::of_values(labels);
  CHECK(map.names() == std::vector<std::string>{"-1", "2", "10"});
  CHECK(map.find(10) == 2);
  CHECK(map.find(-1) == 0);
  CHECK_FALSE(map.find(0));
}

TEST_CASE("with a declared number of classes a label is the number of its class") {
  const auto map = label_map::of_numbers(3);
  CHECK(map.names() == std::vector<std::string>{"0", "1", "2"});
  CHECK(map.find(2) == 2);
  CHECK_FALSE(map.find(3));
  CHECK_FALSE(map.find(-1));
}

TEST_CASE("class names that are integers are values, in whatever order they stand") {
  const auto map = label_map::of_names({"7", "-7"});
  REQUIRE(map);
  CHECK(map->find(7) == 0);
  CHECK(map->find(-7) == 1);
  CHECK_FALSE(map->find(0));
}

TEST_CASE("class names that are words are numbered") {
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"no", "yes"}, {"1", "01"}, {"1", "+2"}, {"1", ""}}) {
    const auto map = label_map::of_names(names);
    REQUIRE(map);
    CHECK(map->names() == names);
    CHECK(map->find(0) == 0);
    CHECK(map->find(1) == 1);
    CHECK_FALSE(map->find(2));
  }
}

TEST_CASE("a class name that occurs twice is refused") {
  const auto map = label_map::of_names({"a", "b", "a"});
  REQUIRE_FALSE(map);
  CHECK(map.failure().text == "class name 'a' occurs twice");
}

TEST_CASE("a message lists few labels and summarises many") {
  CHECK(label_map::of_names({"7", "-7"})->expected() == "-7, 7");
  CHECK(label_map::of_numbers(1000).expected() == "1000 labels from 0 to 999");
}
