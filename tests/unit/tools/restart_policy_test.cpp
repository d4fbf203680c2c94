#include "tools/restart_policy.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::tools;
using namespace std::chrono_literals;

namespace {

const restart_policy::time_point begin{1000s};

} // namespace

TEST_CASE("a process that dies once is started again at once") {
  restart_policy policy(5, 60s);
  CHECK(policy.after_death(begin) == begin);
  CHECK(policy.after_death(begin + 61s) == begin + 61s);
}

TEST_CASE("each further death within the window waits twice as long, up to a limit") {
  restart_policy policy(20, 3600s);
  CHECK(policy.after_death(begin) == begin);
  for (const auto wait : {200ms, 400ms, 800ms, 1600ms, 3200ms, 5000ms, 5000ms, 5000ms})
    CHECK(policy.after_death(begin) == begin + wait);
}

TEST_CASE("one death more than the restarts within the window is the last") {
  restart_policy policy(3, 60s);
  for (int i = 0; i < 3; ++i)
    CHECK(policy.after_death(begin + i * 1s));
  CHECK_FALSE(policy.after_death(begin + 3s));
}

TEST_CASE("deaths that lie longer ago than the window do not count") {
  restart_policy policy(3, 60s);
  for (int i = 0; i < 100; ++i)
    CHECK(policy.after_death(begin + i * 21s));
}

TEST_CASE("without restarts the first death is the last") {
  restart_policy policy(0, 60s);
  CHECK_FALSE(policy.after_death(begin));
}
