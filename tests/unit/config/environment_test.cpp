#include "config/environment.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace gradmesh::config;

TEST_CASE("the environment gives the variables of the project and no others") {
  REQUIRE(setenv("GRADMESH_JOB_NAME", "a=b", 1) == 0);
  REQUIRE(setenv("OTHER_GRADMESH_JOB_NAME", "x", 1) == 0);
  const auto found = environment_overrides();
  unsetenv("GRADMESH_JOB_NAME");
  unsetenv("OTHER_GRADMESH_JOB_NAME");

  REQUIRE(found.contains("GRADMESH_JOB_NAME"));
  CHECK(found.at("GRADMESH_JOB_NAME") == "a=b");
  for (const auto& [name, value] : found)
    CHECK(name.starts_with("GRADMESH_"));
}
